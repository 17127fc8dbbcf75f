# The service as an image: dependencies are built apart, the result runs as nobody in particular on a read-only disk.
FROM python:3.13-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --only-binary :all: -r requirements.txt

FROM python:3.13-slim-bookworm
# One heap for all threads: they share the lock of Python, and small pieces are kept by each thread anyway.
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=1 \
    APP_ENV=production HOST=0.0.0.0 PORT=8000 INSTANCE_PATH=/var/lib/gatehouse
RUN groupadd --system --gid 10001 gatehouse \
    && useradd --system --uid 10001 --gid gatehouse --home-dir /var/lib/gatehouse --create-home gatehouse
COPY --from=build /venv /venv
WORKDIR /app
COPY app.py models.py config.py ./
COPY auth auth
COPY migrations migrations
RUN python -m compileall -q app.py models.py config.py auth migrations
USER 10001:10001
VOLUME /var/lib/gatehouse
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/readyz\", timeout=2)"]
CMD ["python", "app.py"]
