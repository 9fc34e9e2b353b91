# The .NET SDK of this machine.
FROM distributed/base:local
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates libgcc-s1 libstdc++6 openssl tzdata \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
COPY runtime sdk /usr/share/dotnet/
# Those that this machine trusts: it may reach package sources through a proxy of its own.
COPY ca-certificates.crt /etc/ssl/certs/
ENV PATH=/usr/share/dotnet:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_GENERATE_ASPNET_CERTIFICATE=false \
    NUGET_XMLDOC_MODE=skip NUGET_CERT_REVOCATION_MODE=offline
