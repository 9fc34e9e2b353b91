# RabbitMQ of the distribution, laid out as the official image is: its user, data folder and plugins.
FROM distributed/base:local
RUN groupadd --system --gid 999 rabbitmq \
 && useradd --system --uid 999 --gid rabbitmq --home-dir /var/lib/rabbitmq rabbitmq \
 && apt-get update \
 && apt-get install --yes --no-install-recommends rabbitmq-server \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /etc/rabbitmq /var/lib/rabbitmq \
 && install -d -o rabbitmq -g rabbitmq -m 777 /var/lib/rabbitmq /var/log/rabbitmq /etc/rabbitmq /etc/rabbitmq/conf.d \
 && ln -s /usr/lib/rabbitmq/lib/rabbitmq_server-* /opt/rabbitmq
COPY rabbitmq.conf /etc/rabbitmq/conf.d/10-defaults.conf
COPY enabled_plugins /etc/rabbitmq/
# The first line lets the launcher become Erlang's machine, so that it is this that signals reach.
ENV RUNNING_UNDER_SYSTEMD=true HOME=/var/lib/rabbitmq LANG=C.UTF-8 LC_ALL=C.UTF-8 \
    PATH=/opt/rabbitmq/sbin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
VOLUME /var/lib/rabbitmq
USER rabbitmq
EXPOSE 5672 15672 15692
CMD ["rabbitmq-server"]
