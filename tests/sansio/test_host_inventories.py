"""Which hosts there are, in which groups, and how each is reached."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elsewhere.sansio.hosts.inventory import Entry, parse

INI = """
lonely
[web]
web[1:2] ansible_user=deploy  # the two
web3 ansible_host=10.0.0.3 ansible_port=2222 ansible_ssh_private_key_file=/k/three
; a comment
[db]
db1 ansible_user="data base" http_port=80

[prod:children]
web
db

[prod:vars]
ansible_user = prod
ansible_port=2200

[all:vars]
ansible_user=everybody
[web:vars]
ansible_port=2201
"""


def names(entries):
    return [entry.name for entry in entries]


def test_groups_of_an_ini():
    found = parse(INI, "hosts.ini")
    assert found.groups == ["all", "web", "db", "prod"]
    assert names(found.hosts()) == ["lonely", "web1", "web2", "web3", "db1"]
    assert names(found.hosts("prod")) == ["web1", "web2", "web3", "db1"]
    assert names(found.hosts("ungrouped")) == ["lonely"]


def test_what_is_said_nearer_counts_more():
    found = parse(INI, "hosts.ini")
    assert found.get("lonely") == Entry("lonely", user="everybody")
    assert found.get("web1") == Entry("web1", user="deploy", port=2201)
    assert found.get("web3") == Entry("web3", "10.0.0.3", 2222, "prod", "/k/three")
    assert found.get("db1") == Entry("db1", user="data base", port=2200)
    assert found.get("nobody") is None


def test_a_plain_list():
    found = parse("web[1-2], db1\n# nobody\n\nweb1  # again\n", "list")
    assert names(found.hosts()) == ["web1", "web2", "db1"]
    assert found.groups == ["all"]


def test_what_a_program_prints():
    text = json.dumps(
        {
            "_meta": {"hostvars": {"w1": {"ansible_host": "10.1.1.1", "ansible_port": 2022}, "d1": {}}},
            "all": {"children": ["ungrouped", "web", "db"], "vars": {"ansible_user": "a"}},
            "web": {"hosts": ["w1", "w2"], "vars": {"ansible_user": "w"}},
            "db": ["d1"],
        }
    )
    found = parse(text, "ec2.py")
    assert names(found.hosts("web")) == ["w1", "w2"]
    assert found.get("w1") == Entry("w1", "10.1.1.1", 2022, "w")
    assert found.get("d1") == Entry("d1", user="a")
    assert names(found.hosts()) == ["w1", "w2", "d1"]


def test_groups_that_hold_each_other_end():
    found = parse("[a:children]\nb\n[b:children]\na\n[b]\nx\n", "loop")
    assert names(found.hosts("a")) == names(found.hosts("b")) == ["x"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("web1 web2\n", "list, line 1: .*several hosts are written with commas"),
        ("[web]\nweb1 web2\n", "list, line 2: 'web2' is no variable"),
        ("[web]\nweb1 ansible_port=http\n", "ansible_port of web1 is a port, not 'http'"),
        ("[web]\nweb[1-\n", "list, line 2: .*without its partner"),
        ("[web]\n'web1\n", "list, line 2: No closing quotation"),
        ("[web:vars]\nuser\n", "list, line 2: a variable is written name=value"),
        ("[a:children]\nb\n", "the group 'a' has the group 'b', which is not there"),
        ('{"web": 7}', "the group 'web' is an object in JSON, not 7"),
        ('{"web": {"hosts": "w1"}}', "the hosts of 'web' are a list of texts"),
        ('{"web": ', "list is no inventory"),
        ('{"_meta": [], "web": []}', "_meta is an object"),
        ("[web]\nweb1 ansible_host=-x\n", "begins with a hyphen"),
    ],
)
def test_what_is_no_inventory(text, says):
    with pytest.raises(ValueError, match=says):
        parse(text, "list")


def test_a_group_that_is_not_there():
    with pytest.raises(ValueError, match=r"hosts\.ini has no group 'wbe': its groups are all, web, db, prod"):
        parse(INI, "hosts.ini").hosts("wbe")


@given(st.text(alphabet="[]ab:c=#\n ,-19{}\"'", max_size=60))
def test_any_text_is_an_inventory_or_a_clear_error(text):
    try:
        found = parse(text, "any")
    except ValueError:
        return
    for group in found.groups:
        assert set(names(found.hosts(group))) <= set(names(found.hosts()))
