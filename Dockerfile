# syntax=docker/dockerfile:1

FROM python:3.13-slim AS build
# Optional dependencies by name, several with commas: `--build-arg EXTRAS=plots`.
ARG EXTRAS=""
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY stream_lstm ./stream_lstm
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
 && python -m venv --without-pip /opt/stream-lstm \
 && pip --python /opt/stream-lstm/bin/python install --no-cache-dir \
    --only-binary :all: --constraint constraints.txt "$(echo /wheels/*.whl)${EXTRAS:+[$EXTRAS]}"

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin stream-lstm \
 && install --directory --owner stream-lstm --mode 0750 /var/lib/stream-lstm
COPY --from=build /opt/stream-lstm /opt/stream-lstm
ENV PATH=/opt/stream-lstm/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STREAM_LSTM_METRICS__HOST=0.0.0.0 \
    STREAM_LSTM_METRICS__PORT=9109 \
    STREAM_LSTM_STORE__URL=file:///var/lib/stream-lstm
WORKDIR /var/lib/stream-lstm
USER 10001
VOLUME /var/lib/stream-lstm
EXPOSE 9109
# Any status but 200 is an exception, and so a failure. The slim image has no curl.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", \
    "import os, urllib.request as r; r.urlopen('http://127.0.0.1:%s/livez' % os.environ['STREAM_LSTM_METRICS__PORT'], timeout=4)"]
ENTRYPOINT ["stream-lstm"]
CMD ["run"]
