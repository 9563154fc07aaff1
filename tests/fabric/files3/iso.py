from fabric import task


@task
def iso(c):
    from datetime import date

    print(date.today())
