from fabric.api import env, run, settings


def answers():
    env.prompts = {"Sure? ": "yes"}
    print(repr(run("printf 'Sure? '; read a; echo got $a")))


def again():
    with settings(prompts={"Name: ": "me", "Word: ": "w"}):
        run("printf 'Name: '; read a; printf 'Word: '; read b; echo $a $b")
