# The ASP.NET runtime of this machine over no more than it needs of the distribution: no shell, no package manager, as in
# the official images of this kind (chiseled).
ARG SDK
FROM ${SDK} AS full
RUN mkdir -p /slim/etc/ssl/certs /slim/home/app /slim/lib64 /slim/tmp /slim/usr/bin /slim/usr/lib \
 && chmod 1777 /slim/tmp \
 && chown 1654:1654 /slim/home/app \
 && for library in ld-linux-x86-64.so.2 libc.so.6 libcrypto.so.3 libdl.so.2 libgcc_s.so.1 libm.so.6 libpthread.so.0 libresolv.so.2 \
      librt.so.1 libssl.so.3 libstdc++.so.6 libnss_dns.so.2 libnss_files.so.2; do \
      path=$(find /lib/x86_64-linux-gnu /usr/lib/x86_64-linux-gnu -name "$library" | head -n 1); \
      install -D -m 755 "$(readlink -f "$path")" "/slim/usr/lib/x86_64-linux-gnu/$library"; \
    done \
 && ln -s usr/lib /slim/lib \
 && ln -s /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 /slim/lib64/ \
 && ln -s /usr/share/dotnet/dotnet /slim/usr/bin/dotnet \
 && cp /etc/ssl/certs/ca-certificates.crt /slim/etc/ssl/certs/ \
 && cp /etc/os-release /etc/nsswitch.conf /slim/etc/ \
 && printf 'root:x:0:0:root:/root:/sbin/nologin\napp:x:1654:1654::/home/app:/sbin/nologin\n' >/slim/etc/passwd \
 && printf 'root:x:0:\napp:x:1654:\n' >/slim/etc/group
COPY runtime /slim/usr/share/dotnet

FROM scratch
COPY --from=full /slim /
ENV APP_UID=1654 ASPNETCORE_HTTP_PORTS=8080 DOTNET_RUNNING_IN_CONTAINER=true DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=true \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER 1654
