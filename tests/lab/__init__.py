"""The practice cloud: real host names, served on loopback.

A CONNECT proxy ends each tunnel to a listed host name in a local server that holds a certificate of a throwaway
authority, so pip, uv, twine, keyring and az run unchanged, with the URLs their users type. Nothing leaves loopback:
a host that no site answers for is refused.

A test writes::

    def test_pip_installs(cloud, client, fake_programs, home):
        user_token = cloud.azure.directory.user_token(cloud.azure.user)
        fake_programs.az(*az_token(user_token))
        environment = cloud.environment(home, path=[fake_programs.directory, client.bin])
        index = ["--index-url", cloud.azure.feed.url()]
        client.run(["pip", "install", *index, "hello-private"], environment).check()
        assert cloud.log.bearers() == [("vssps.dev.azure.com", user_token)]

Layers (imports go downward only)::

    demo, __main__              entry points
    look_up, namespace          keyring in a child process; files that only it sees
    chromium, sign_in_page      a person signs in: with a real browser, or by plain HTTP
    browser_program             the program of $BROWSER, which hands the address to the test
    cloud                       ties the cloud together
    azure/, hostile             the sites, one subject a module
    proxy, socks, relay         where clients come in; round trips that take time
    server, sites               HTTP/1.1 over one connection; which site has which host
    faults, log                 what to break, what was seen
    matching, messages, authority, tokens, packages, environment
    clients, fake_programs      beside the cloud: the real tools, and scripted ones
    store*, known_store, ssh    beside the cloud: the store's user, stores from known keys, OpenSSH's agent and keys
    *_agent, ed25519_twice      agents that ask, strip zeros, cheat or hang
    wine, windows/              beside the cloud: Windows under wine, its user, programs on PATH and the agent's pipe
"""

from .cloud import PracticeCloud

__all__ = ["PracticeCloud"]
