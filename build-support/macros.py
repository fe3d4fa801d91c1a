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
    python_tests(name="tests")
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
        dependencies=["src/python/chassis/probe.py"],
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
        dependencies=[":libraries", ":sources", "build-support/images:trim"],
        instructions=_dockerfile(folder, name.upper()),
    )


def _dockerfile(folder, name):
    """Two layers over the base; nothing is installed, and what is built needs no network."""
    # Bytecode is told by the hash of its source and not by its time: the same input is the same image.
    venv = "SOURCE_DATE_EPOCH=0 PEX_ROOT=/tmp/pex PEX_TOOLS=1 python3 /{half}.pex venv --scope={scope} --compile /app"
    return [
        "ARG BASE_IMAGE=python:3.11-slim",
        "ARG BUILD_IMAGE=python:3.11",
        "FROM ${BUILD_IMAGE} AS libraries",
        f"COPY {folder}/libraries.pex /libraries.pex",
        "COPY build-support/images/trim.py /trim.py",
        "RUN " + venv.format(half="libraries", scope="deps") + " && python3 /trim.py /app",
        "FROM ${BUILD_IMAGE} AS sources",
        f"COPY {folder}/sources.pex /sources.pex",
        "RUN " + venv.format(half="sources", scope="srcs"),
        "FROM ${BASE_IMAGE}",
        # Without the launcher, which says them, an image does not know what it is.
        f"ARG {name}_VERSION=0.0.0",
        "ARG GIT_COMMIT=unknown",
        "ARG SOURCE_URL=unknown",
        "COPY --from=libraries /app /app",
        "COPY --from=sources /app /app",
        "USER 10001:10001",
        "ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PORT=8000",
        "EXPOSE 8000",
        # Where Fargate mounts a volume for it, that has the owner and the mode that the image says.
        "VOLUME /tmp",
        "STOPSIGNAL SIGTERM",
        'HEALTHCHECK --interval=30s --timeout=6s --start-period=10s CMD ["/app/bin/python", "-m", "chassis.probe"]',
        'ENTRYPOINT ["/app/pex"]',
        'CMD ["serve"]',
    ]


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
