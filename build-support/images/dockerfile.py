# How the image of a service is built; read by Pants with macros.py, which has the targets.


def dockerfile(folder, name):
    """Two layers over the base; nothing is installed, and what is built needs no network."""
    # Bytecode is told by the hash of its source and not by its time: the same input is the same layer.
    venv = "SOURCE_DATE_EPOCH=0 PEX_ROOT=/tmp/pex PEX_TOOLS=1 python3 /{half}.pex venv --scope={scope} --compile /app"
    # COPY keeps the times of what it copies but not of where it copies to: so a folder above.
    trimmed = venv + " && python3 /trim.py /app /layer"
    return [
        "ARG BASE_IMAGE=python:3.11-slim",
        "ARG BUILD_IMAGE=python:3.11",
        "FROM ${BUILD_IMAGE} AS libraries",
        f"COPY {folder}/libraries.pex /libraries.pex",
        "COPY build-support/images/trim.py /trim.py",
        "RUN " + trimmed.format(half="libraries", scope="deps"),
        "FROM ${BUILD_IMAGE} AS sources",
        f"COPY {folder}/sources.pex /sources.pex",
        "COPY build-support/images/trim.py /trim.py",
        "RUN " + trimmed.format(half="sources", scope="srcs"),
        "FROM ${BASE_IMAGE}",
        # Without the launcher, which says them, an image does not know what it is.
        f"ARG {name}_VERSION=0.0.0",
        "ARG GIT_COMMIT=unknown",
        "ARG SOURCE_URL=unknown",
        "COPY --from=libraries /layer /",
        "COPY --from=sources /layer /",
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
