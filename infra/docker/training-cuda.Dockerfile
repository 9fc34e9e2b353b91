# The training service on NVIDIA GPUs; build it from the root of the repository:
#   docker build -f infra/docker/training-cuda.Dockerfile .
# The host needs a driver for CUDA 12.8 or later and the NVIDIA container toolkit.
ARG DOTNET=10.0-noble
ARG CUDA=12.8.1-base-ubuntu24.04

FROM mcr.microsoft.com/dotnet/sdk:${DOTNET} AS build
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/root/.nuget/packages \
    dotnet publish services/Training/Training.csproj --configuration Release -p:TorchBackend=cuda --output /app \
 && ln -s Distributed.Training /app/service \
 && install -m 755 infra/docker/healthcheck.sh /app/healthcheck.sh \
 && mkdir /volume

FROM mcr.microsoft.com/dotnet/aspnet:${DOTNET} AS dotnet

# The base variant: cuBLAS, cuDNN and the rest come with LibTorch's own packages.
FROM nvidia/cuda:${CUDA}
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates libgcc-s1 libssl3t64 libstdc++6 tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 1654 app \
 && useradd --uid 1654 --gid 1654 --create-home app
COPY --from=dotnet /usr/share/dotnet /usr/share/dotnet
COPY --from=build /app /app
COPY --from=build --chown=1654:1654 /volume /volume
ENV ASPNETCORE_HTTP_PORTS=8080 DOTNET_ROOT=/usr/share/dotnet DOTNET_RUNNING_IN_CONTAINER=true Volume__Root=/volume
WORKDIR /app
EXPOSE 8080
USER 1654:1654
ENTRYPOINT ["/app/service"]
