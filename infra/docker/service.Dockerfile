# One of the services; build it from the root of the repository:
#   docker build -f infra/docker/service.Dockerfile --build-arg SERVICE=Training .
# SERVICE is AdminApi, Ingestion, Training (on the processor) or Evaluation.
ARG DOTNET=10.0-noble

FROM mcr.microsoft.com/dotnet/sdk:${DOTNET} AS build
ARG SERVICE
WORKDIR /source
COPY . .
# The package cache outlives the layer, so a change of the sources downloads nothing again.
RUN --mount=type=cache,target=/root/.nuget/packages \
    dotnet publish "services/${SERVICE:?}/${SERVICE}.csproj" --configuration Release --output /app \
 && ln -s "Distributed.${SERVICE}" /app/service \
 && install -m 755 infra/docker/healthcheck.sh /app/healthcheck.sh \
 && mkdir /volume

FROM mcr.microsoft.com/dotnet/aspnet:${DOTNET}
# The system's files stay root's; only the volume is the service's own.
COPY --from=build /app /app
COPY --from=build --chown=1654:1654 /volume /volume
ENV ASPNETCORE_HTTP_PORTS=8080 Volume__Root=/volume
WORKDIR /app
EXPOSE 8080
USER 1654:1654
ENTRYPOINT ["/app/service"]
