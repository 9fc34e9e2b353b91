# One of the services, for x64; build it from the root of the repository:
#   docker build -f infra/docker/service.Dockerfile --build-arg SERVICE=Training .
# SERVICE is AdminApi, Ingestion, Training or Evaluation. For Training on NVIDIA GPUs, where the machine needs a driver for
# CUDA 12.8 or later and the NVIDIA container toolkit:
#   docker build -f infra/docker/service.Dockerfile --build-arg SERVICE=Training --build-arg SERVICES=Training --build-arg BACKEND=cuda .
ARG DOTNET=10.0-noble
ARG CUDA=12.8.1-base-ubuntu24.04
ARG BACKEND=cpu

# What says which packages are needed, so that a change of anything else restores nothing.
FROM mcr.microsoft.com/dotnet/sdk:${DOTNET} AS projects
WORKDIR /source
COPY . .
RUN find . -type f ! -name '*.csproj' ! -name 'Directory.*' ! -name '*.targets' ! -name global.json -delete \
 && find . -type d -empty -delete

# All services in one stage: what they share is compiled once, and their images wait for the same build.
FROM mcr.microsoft.com/dotnet/sdk:${DOTNET} AS build
ARG SERVICES="AdminApi Ingestion Training Evaluation"
ARG BACKEND
# The property of the build with that name (cpu, cuda).
ENV TorchBackend=${BACKEND}
WORKDIR /source
COPY --from=projects /source .
# One build at a time uses the package cache, which does not bear two in the same folder.
RUN --mount=type=cache,target=/root/.nuget/packages,sharing=locked \
    set -e; for service in ${SERVICES}; do \
      dotnet msbuild "services/$service/$service.csproj" -target:Restore -property:Configuration=Release \
        -property:RuntimeIdentifier=linux-x64 -property:_CommandLineDefinedRuntimeIdentifier=true -property:SelfContained=false -verbosity:minimal; \
    done
COPY . .
RUN --mount=type=cache,target=/root/.nuget/packages,sharing=locked \
    set -e; for service in ${SERVICES}; do \
      dotnet publish "services/$service/$service.csproj" --configuration Release --runtime linux-x64 --no-self-contained --output /app/$service; \
    done
# Layers of the images, by how often they change: the tensor library, which two services share, other packages, and ours.
RUN set -e; mkdir /volume; for service in ${SERVICES}; do \
      layers=/layers/$service; mkdir -p $layers/tensors $layers/packages $layers/own; cd /app/$service; \
      for file in Backbones TorchSharp.dll libLibTorchSharp.so libtorch* libc10* libgomp* libcu* libnv*; do \
        if [ -e "$file" ]; then mv "$file" $layers/tensors/; fi; \
      done; \
      find . -maxdepth 1 -type f \( -name 'Distributed.*' -o -name '*.json' \) -exec mv -t $layers/own {} +; \
      ln -s "Distributed.$service" $layers/own/service; \
      mv ./* $layers/packages/; \
    done

# No shell and no package manager: nothing but the runtime and what it needs.
FROM mcr.microsoft.com/dotnet/aspnet:${DOTNET}-chiseled AS runtime-cpu

# The base variant: cuBLAS, cuDNN and the rest come with LibTorch's own packages.
FROM nvidia/cuda:${CUDA} AS runtime-cuda
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates libgcc-s1 libssl3t64 libstdc++6 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 1654 app \
 && useradd --uid 1654 --gid 1654 --create-home app
COPY --from=runtime-cpu /usr/share/dotnet /usr/share/dotnet
ENV DOTNET_ROOT=/usr/share/dotnet DOTNET_RUNNING_IN_CONTAINER=true

FROM runtime-${BACKEND}
ARG SERVICE
# The system's files stay root's; only the volume is the service's own.
COPY --from=build --chown=1654:1654 /volume /volume
COPY --from=build /layers/${SERVICE}/tensors /app
COPY --from=build /layers/${SERVICE}/packages /app
COPY --from=build /layers/${SERVICE}/own /app
ENV ASPNETCORE_HTTP_PORTS=8080 Volume__Root=/volume
WORKDIR /app
EXPOSE 8080
USER 1654:1654
ENTRYPOINT ["/app/service"]
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="Distributed ${SERVICE}" \
      org.opencontainers.image.description="Distributed teaches a pretrained network new classes of images, as a system of workers: ${SERVICE}" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
