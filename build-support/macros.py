# What BUILD files may call besides Pants' own targets.


def service():
    """The targets of a service's folder; its BUILD file says more only where the service differs.

    `:image` is what is deployed: `serve`, `migrate` and the other commands of its app.py.
    """
    name = build_file_dir().name
    folder = ".".join(build_file_dir().parts)
    python_sources(overrides={"app.py": {"dependencies": [":migrations", ":version"]}})
    # Found by their folder at run time, never imported.
    python_sources(name="migrations", sources=["migrations/**/*.py"])
    resource(name="version", source="VERSION")
    python_test_utils(name="test_utils")
    python_tests(
        name="tests",
        # In one process, with one database server: a process for each would start for longer than it tests.
        batch_compatibility_tag=name,
        # What takes long runs beside it.
        overrides={("app_integration_test.py", "fuzz_test.py"): {"batch_compatibility_tag": None}},
    )
    # In two halves: libraries change seldom, and their layer of the image with them.
    pex_binary(
        name="libraries",
        entry_point="app.py",
        include_sources=False,
        include_tools=True,
        layout="packed",
    )
    pex_binary(
        name="sources",
        entry_point="app.py",
        dependencies=[f"src/python/chassis/{module}.py" for module in ("probe", "start")],
        include_requirements=False,
        include_tools=True,
        layout="packed",
    )
    docker_image(
        name="image",
        repository=f"mercato/{name}",
        image_tags=["{build_args.%s_VERSION}" % name.upper()],
        extra_build_args=[f"{name.upper()}_VERSION"],
        image_labels={
            "org.opencontainers.image.title": f"mercato/{name}",
            "org.opencontainers.image.version": "{build_args.%s_VERSION}" % name.upper(),
            "org.opencontainers.image.revision": "{build_args.GIT_COMMIT}",
            "org.opencontainers.image.source": "{build_args.SOURCE_URL}",
        },
        dependencies=[":libraries", ":sources", "build-support/images:recipe"],
        instructions=dockerfile(folder, name),
    )


def pacts(is_provider=False, has_tests=True):
    """The targets of a service's `pacts` folder: nothing in it is shipped.

    Each module is what the service relies on of the one that it is named after. A provider has `states.py`,
    too: it runs the service, which whoever only reads the contracts need not have. Who relies on the keys of
    tokens alone has no test: the chassis reads them.
    """
    python_test_utils(sources=["*.py", "!*_test.py", "!states.py"])
    if is_provider:
        python_test_utils(name="states", sources=["states.py"])
    if has_tests:
        python_tests(name="tests")
