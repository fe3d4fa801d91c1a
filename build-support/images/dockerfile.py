# How the image of a service is built; read by Pants with macros.py, which has the targets.


def dockerfile(folder, service):
    """Two layers over the base; nothing is installed, and what is built needs no network."""
    venv = "PEX_ROOT=/tmp/pex PEX_TOOLS=1 python3 /{half}.pex venv --scope={scope} /app"
    # COPY keeps the times of what it copies but not of where it copies to: so a folder above.
    trimmed = venv + " && python3 /trim.py /app /layer"
    probe = '["/app/bin/python", "-P", "-m", "chassis.probe"]'
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
        f"ARG {service.upper()}_VERSION=0.0.0",
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
        f"HEALTHCHECK --interval=30s --timeout=6s --start-period=10s CMD {probe}",
        f'ENTRYPOINT ["/app/bin/python", "-P", "-m", "chassis.start", "services.{service}.app"]',
        'CMD ["serve"]',
    ]
