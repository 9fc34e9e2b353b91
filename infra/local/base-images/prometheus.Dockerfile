# Prometheus of the distribution, with the official image's user, data folder and defaults.
FROM distributed/base:local
RUN apt-get update \
 && apt-get install --yes --no-install-recommends prometheus wget \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /var/lib/prometheus \
 && install -d -o 65534 -g 65534 /prometheus
WORKDIR /prometheus
VOLUME /prometheus
USER 65534:65534
EXPOSE 9090
ENTRYPOINT ["/usr/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
