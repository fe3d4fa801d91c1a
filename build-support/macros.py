# What BUILD files may call besides Pants' own targets.


def service():
    """The targets of a service's folder; its BUILD file says more only where the service differs.

    `:bin` is what its image runs: `bin serve`, `bin migrate`.
    """
    python_sources(overrides={"app.py": {"dependencies": [":migrations", ":version"]}})
    # Found by their folder at run time, never imported.
    python_sources(name="migrations", sources=["migrations/**/*.py"])
    resource(name="version", source="VERSION")
    python_test_utils(name="test_utils")
    python_tests(name="tests")
    pex_binary(
        name="bin",
        entry_point="app.py",
        execution_mode="venv",
        include_tools=True,
        layout="packed",
    )


def pacts():
    """The targets of a service's `pacts` folder: nothing in it is shipped."""
    python_test_utils(sources=["*.py", "!*_test.py"])
    python_tests(name="tests")
