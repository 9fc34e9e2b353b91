#!/usr/bin/env bash
# A private RabbitMQ and PostgreSQL for tests, on free loopback ports, everything under one folder:
#
#   eval "$(infra/local/servers.sh start DIR)"    starts them, sets the DISTRIBUTED_TEST_... variables
#   infra/local/servers.sh stop DIR               stops exactly what was started there
#
#   start DIR --owner PID                         also stops them when process PID is gone
#   start DIR --restartable                       from the packages, whatever else there is, so that they can be restarted
#   restart DIR rabbitmq|postgres [--kill]        ends one of those, orderly or as a power cut would, and starts it again
#                                                 with the same ports and data
#   halt DIR rabbitmq|postgres [--kill]           only ends it: restart begins it again
#
# Where they come from, in this order:
#   1. servers that DISTRIBUTED_TEST_RABBITMQ and DISTRIBUTED_TEST_POSTGRES name already: used as they are;
#   2. containers, if a Docker engine answers;
#   3. the distribution's packages, installed when missing if this runs as root on Debian or Ubuntu.
#
# The status is 3 where none of these can be had.
#
# The data is thrown away: stopping is quick rather than orderly; what is restarted keeps it, also where it is killed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
self="$here/$(basename "${BASH_SOURCE[0]}")"

# The versions of docker-compose.yml.
rabbitmq_image=rabbitmq:3.13.7-management
postgres_image=postgres:16.10
start_seconds=90

dir=
owner=
interrupted=
postgres_password=
amqp_port=
management_port=
prometheus_port=
postgres_port=
restartable=
kill=

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

usage() {
  say "usage: servers.sh start DIR [--owner PID] [--restartable] | restart|halt DIR rabbitmq|postgres [--kill] | stop DIR"
  exit 2
}

# ---- processes ---------------------------------------------------------------------------------

# A process is known by its id and the time it started, so that no other process that gets the same
# id later is ever signalled. Prints the start time; fails when it is gone (a zombie is gone).
start_time() {
  local stat fields
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  read -ra fields <<<"${stat##*) }"
  [[ ${fields[0]} != Z ]] || return 1
  printf '%s\n' "${fields[19]}"
}

alive() { [[ $(start_time "$1") == "$2" ]]; }

# record NAME PID
record() {
  local started
  started=$(start_time "$2") || started=0
  printf '%s %s %s\n' "$1" "$2" "$started" >>"$dir/processes"
}

# Every server leads a process group of its own (setsid), so that Ctrl-C in a terminal does not reach
# it and its helpers end with it. PostgreSQL's children lead groups too, so it ends them itself: QUIT
# is its order to stop at once.
stop_process() {
  local name=$1 pid=$2 started=$3 deadline
  alive "$pid" "$started" || return 0
  if [[ $name == postgres ]]; then
    kill -QUIT "$pid" 2>/dev/null || true
    deadline=$((SECONDS + 10))
    while alive "$pid" "$started" && ((SECONDS < deadline)); do sleep 0.05; done
    alive "$pid" "$started" || return 0
  fi
  kill -KILL -- "-$pid" 2>/dev/null || true
  deadline=$((SECONDS + 10))
  while alive "$pid" "$started" && ((SECONDS < deadline)); do sleep 0.05; done
  ! alive "$pid" "$started" || say "warning: $name (process $pid) does not end"
}

stop_all() {
  local name pid started id
  if [[ -s $dir/processes ]]; then
    while read -r name pid started; do
      case $name in
        # The guard may be the very process that runs this.
        guard) [[ $pid == "$$" ]] || stop_process "$name" "$pid" "$started" ;;
        *) stop_process "$name" "$pid" "$started" ;;
      esac
    done < <(tac "$dir/processes")
  fi
  if [[ -s $dir/containers ]]; then
    while read -r id; do
      docker rm --force --volumes "$id" >/dev/null 2>&1 || say "warning: container $id could not be removed"
    done <"$dir/containers"
  fi
  rm -f "$dir/processes" "$dir/containers"
}

# ---- waiting -----------------------------------------------------------------------------------

# Called in every turn of a waiting loop.
still_wanted() {
  [[ -z $interrupted ]] || fail "interrupted"
  [[ -z $owner ]] || kill -0 "$owner" 2>/dev/null || fail "the process these servers are for (process $owner) has ended"
}

# free_ports COUNT: so many different ports that nobody listens on, below the range from which the
# kernel takes ports for outgoing connections.
free_ports() {
  local port count=$1
  while ((count > 0)) && read -r port; do
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      printf '%s\n' "$port"
      count=$((count - 1))
    fi
  done < <(shuf -i 20000-31999 -n 200)
  return 0
}

# The broker greets whoever opens with AMQP's protocol header with a method frame (type 1).
rabbitmq_ready() {
  local frame status
  {
    exec 3<>"/dev/tcp/127.0.0.1/$amqp_port"
    printf 'AMQP\x00\x00\x09\x01' >&3
    frame=$(head -c 1 <&3 | od -An -tx1)
    exec 3>&- 3<>"/dev/tcp/127.0.0.1/$management_port"
    printf 'GET /api/vhosts HTTP/1.0\r\nAuthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\r\n' >&3
    read -r status <&3
  } 2>/dev/null
  [[ $frame == ' 01' && $status == HTTP/*' 200 '* ]]
}

# A server that speaks the protocol answers an SSL request with one letter, S or N, but only pg_isready
# and psql tell whether it also accepts sessions; this asks what is at hand in both modes.
postgres_ready() {
  local answer
  {
    exec 3<>"/dev/tcp/127.0.0.1/$postgres_port"
    printf '\x00\x00\x00\x08\x04\xd2\x16\x2f' >&3
    answer=$(head -c 1 <&3)
  } 2>/dev/null
  [[ $answer == [SN] ]] || return 1
  if [[ -s $dir/containers ]]; then
    docker exec "$(tail -n 1 "$dir/containers")" pg_isready -q -h 127.0.0.1 -U distributed
  else
    "$postgres_bin/pg_isready" -q -h 127.0.0.1 -p "$postgres_port" -U distributed
  fi
}

# Each attempt in a subshell, with a bound, as a port may accept and then say nothing.
attempt() {
  local pid deadline
  ("$@") &
  pid=$!
  deadline=$((SECONDS + 4))
  while kill -0 "$pid" 2>/dev/null; do
    if ((SECONDS >= deadline)); then
      kill -KILL "$pid" 2>/dev/null || true
      break
    fi
    sleep 0.02
  done
  wait "$pid" 2>/dev/null
}

# ---- containers --------------------------------------------------------------------------------

docker_works() { command -v docker >/dev/null && timeout 10 docker info >/dev/null 2>&1; }

# run_container OPTION... IMAGE: leaves the container's id in $container.
run_container() {
  container=$(timeout 600 docker run --detach --rm --label org.distributed.test=1 "$@") || return 1
  printf '%s\n' "$container" >>"$dir/containers"
}

published_port() {
  local line
  line=$(docker port "$container" "$1") || return 1
  line=${line%%$'\n'*}
  printf '%s\n' "${line##*:}"
}

# Fails, leaving nothing behind, when an image cannot be had, or the published ports cannot be reached
# from here (an engine on another machine, a job that itself runs in a container).
start_containers() {
  local deadline=$((SECONDS + start_seconds))
  if [[ -n $want_rabbitmq ]]; then
    run_container --publish 127.0.0.1::5672 --publish 127.0.0.1::15672 --publish 127.0.0.1::15692 "$rabbitmq_image" || return 1
    amqp_port=$(published_port 5672/tcp) && management_port=$(published_port 15672/tcp) && prometheus_port=$(published_port 15692/tcp) || return 1
  fi
  if [[ -n $want_postgres ]]; then
    run_container --publish 127.0.0.1::5432 --env POSTGRES_USER=distributed \
      --env POSTGRES_PASSWORD="$postgres_password" --env POSTGRES_DB=postgres \
      "$postgres_image" -c max_connections=200 || return 1
    postgres_port=$(published_port 5432/tcp) || return 1
  fi
  while [[ -n $want_rabbitmq ]] && ! attempt rabbitmq_ready; do
    still_wanted
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
  while [[ -n $want_postgres ]] && ! attempt postgres_ready; do
    still_wanted
    ((SECONDS < deadline)) || return 1
    sleep 0.2
  done
}

# ---- packages ----------------------------------------------------------------------------------

rabbitmq_server=
postgres_bin=

find_programs() {
  local candidate
  rabbitmq_server=
  # Debian's own command of that name insists on the system's user and folders: take what lies below it.
  for candidate in /usr/lib/rabbitmq/bin/rabbitmq-server /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server \
    "$(command -v rabbitmq-server || true)"; do
    if [[ -x $candidate ]]; then
      rabbitmq_server=$candidate
      break
    fi
  done
  postgres_bin=
  # The newest, by version.
  while read -r candidate; do
    if [[ -x $candidate ]]; then
      postgres_bin=${candidate%/initdb}
    fi
  done < <(command -v initdb || true; printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V)
}

find_or_install() {
  local missing=()
  find_programs
  [[ -z $want_rabbitmq || -n $rabbitmq_server ]] || missing+=(rabbitmq-server)
  [[ -z $want_postgres || -n $postgres_bin ]] || missing+=(postgresql)
  ((${#missing[@]} > 0)) || return 0
  if ! "$here/packages.sh" "${missing[@]}"; then
    say "error: no test servers: start Docker, or install ${missing[*]}, or name running servers in DISTRIBUTED_TEST_RABBITMQ, DISTRIBUTED_TEST_RABBITMQ_MANAGEMENT and DISTRIBUTED_TEST_POSTGRES"
    exit 3
  fi
  find_programs
  [[ -z $want_rabbitmq || -n $rabbitmq_server ]] || fail "rabbitmq-server is installed, but was not found"
  [[ -z $want_postgres || -n $postgres_bin ]] || fail "postgresql is installed, but initdb was not found"
}

# as_user USER: the command prefix in $prefix that drops root's rights (empty when not root), which
# PostgreSQL insists on.
as_user() {
  prefix=()
  ((EUID == 0)) || return 0
  id "$1" >/dev/null 2>&1 || return 0
  prefix=(setpriv "--reuid=$(id -u "$1")" "--regid=$(id -g "$1")" --init-groups --inh-caps=-all --)
}

# own_folder USER FOLDER
own_folder() {
  mkdir -p "$2"
  chmod 700 "$2"
  if ((${#prefix[@]} > 0)); then
    chown "$1:" "$2"
    chmod go+x "$dir"
    "${prefix[@]}" test -x "$2" || fail "user $1 cannot enter $2: choose a folder below one that all users may enter, such as /tmp"
  fi
}

# launch NAME FOLDER COMMAND...: in the background, in a session of its own, output to FOLDER/NAME.log
launch() {
  local name=$1 folder=$2
  shift 2
  printf '%q ' "$@" >"$dir/$name.command"
  (cd "$folder" && exec setsid "$@") </dev/null >>"$folder/$name.log" 2>&1 &
  record "$name" "$!"
  # The shell reports no end of what it does not own.
  disown "$!"
}

running() {
  local name pid started
  while read -r name pid started; do
    if [[ $name == "$1" ]]; then
      alive "$pid" "$started"
      return
    fi
  done < <(tac "$dir/processes")
  return 1
}

start_rabbitmq() {
  local folder=$dir/rabbitmq ports plain
  mapfile -t ports < <(free_ports 5)
  amqp_port=${ports[0]} management_port=${ports[1]} prometheus_port=${ports[4]}
  as_user rabbitmq
  rm -rf "$folder"
  own_folder rabbitmq "$folder"

  cat >"$folder/rabbitmq.conf" <<END
listeners.tcp.1 = 127.0.0.1:$amqp_port
management.tcp.ip = 127.0.0.1
management.tcp.port = $management_port
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = $prometheus_port
log.console = true
log.console.level = info
log.file = false
END
  printf '[rabbitmq_management,rabbitmq_prometheus].\n' >"$folder/enabled_plugins"
  : >"$folder/rabbitmq-env.conf"
  (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$folder/.erlang.cookie")
  if ((${#prefix[@]} > 0)); then
    chown rabbitmq: "$folder"/* "$folder/.erlang.cookie"
  fi

  # Nothing from the caller's environment: a RABBITMQ_ variable there would reach another node.
  # RUNNING_UNDER_SYSTEMD makes the launcher become the Erlang machine instead of waiting for it.
  plain=(env -i "PATH=$PATH" LANG=C.UTF-8 "HOME=$folder"
    "ERL_EPMD_PORT=${ports[2]}" ERL_EPMD_ADDRESS=127.0.0.1
    RUNNING_UNDER_SYSTEMD=true
    RABBITMQ_NODENAME=test@localhost
    "RABBITMQ_DIST_PORT=${ports[3]}"
    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}"
    "RABBITMQ_CONF_ENV_FILE=$folder/rabbitmq-env.conf"
    "RABBITMQ_CONFIG_FILE=$folder/rabbitmq.conf"
    "RABBITMQ_ADVANCED_CONFIG_FILE=$folder/advanced.config"
    "RABBITMQ_ENABLED_PLUGINS_FILE=$folder/enabled_plugins"
    "RABBITMQ_MNESIA_BASE=$folder/data"
    "RABBITMQ_LOG_BASE=$folder/log"
    "RABBITMQ_GENERATED_CONFIG_DIR=$folder/generated"
    "RABBITMQ_SCHEMA_DIR=$folder/schema"
    "RABBITMQ_PID_FILE=$folder/rabbitmq.pid")

  # Erlang's name server, which the node would otherwise start as a daemon of unknown id.
  launch epmd "$folder" "${prefix[@]}" "${plain[@]}" epmd -port "${ports[2]}" -address 127.0.0.1
  launch rabbitmq "$folder" "${prefix[@]}" "${plain[@]}" "$rabbitmq_server"
}

start_postgres() {
  local folder=$dir/postgres plain
  mapfile -t ports < <(free_ports 1)
  postgres_port=${ports[0]}
  as_user postgres
  rm -rf "$folder"
  own_folder postgres "$folder"
  plain=(env -i "PATH=$PATH" LC_ALL=C.UTF-8 "HOME=$folder")

  (umask 077 && printf '%s\n' "$postgres_password" >"$folder/password")
  if ((${#prefix[@]} > 0)); then
    chown postgres: "$folder/password"
  fi
  # Without syncing only here: a crash of the machine may cost this folder, which is made anew anyway.
  (cd "$folder" && "${prefix[@]}" "${plain[@]}" "$postgres_bin/initdb" --pgdata="$folder/data" --username=distributed \
    --pwfile="$folder/password" --auth=scram-sha-256 --encoding=UTF8 --no-locale --no-sync) >"$folder/initdb.log" 2>&1 ||
    fail "initdb failed: $(tail -n 5 "$folder/initdb.log")"
  launch postgres "$folder" "${prefix[@]}" "${plain[@]}" "$postgres_bin/postgres" -D "$folder/data" \
    -c listen_addresses=127.0.0.1 -p "$postgres_port" -c unix_socket_directories= -c max_connections=200 -c fsync=on
}

# await NAME: waits until it is ready. Fails with 2 when one of its ports was taken in the meantime.
await() {
  local name=$1 deadline=$((SECONDS + start_seconds)) log=$dir/$1/$1.log
  until attempt "${name}_ready"; do
    still_wanted
    if ! running "$name" || ((SECONDS >= deadline)); then
      if grep -qiE 'eaddrinuse|address (is )?already in use|address in use|dist_port_already_used' "$log" "$dir/$name"/epmd.log 2>/dev/null; then
        return 2
      fi
      say "--- the end of $log:"
      tail -n 20 "$log" >&2 || true
      fail "$name did not start"
    fi
    sleep 0.05
  done
  # Another server's answer on our port would also look ready.
  running "$name" || return 2
}

# The ports were free when they were chosen; if another process was quicker, once more with others.
await_or_again() {
  local name=$1 turn code
  for turn in 1 2 3; do
    code=0
    await "$name" || code=$?
    ((code != 0)) || return 0
    say "$name: a port was taken meanwhile (attempt $turn)"
    stop_one "$name"
    "start_$name"
  done
  await "$name" || fail "$name found no free ports"
}

# Stops what start_NAME had started, and leaves the other records.
stop_one() {
  local name pid started
  while read -r name pid started; do
    case $1:$name in
      rabbitmq:rabbitmq | rabbitmq:epmd | postgres:postgres) stop_process "$name" "$pid" "$started" ;;
    esac
  done < <(tac "$dir/processes")
}

# end_for_restart NAME: orderly, or at once and with all that it has started.
end_for_restart() {
  local name pid started deadline child children=()
  while read -r name pid started; do
    [[ $name == "$1" ]] && alive "$pid" "$started" || continue
    children=("$pid $started")
    if [[ -z $kill ]]; then
      # INT is PostgreSQL's order to stop without waiting for its clients.
      if [[ $name == postgres ]]; then kill -INT "$pid"; else kill -TERM "$pid"; fi
    else
      # What PostgreSQL has started leads groups of its own, and would use the data a little longer.
      while read -r child; do
        children+=("$child $(start_time "$child" || echo 0)")
      done < <(ps -o pid= --ppid "$pid")
      kill -KILL -- "-$pid" 2>/dev/null || true
      for child in "${children[@]}"; do kill -KILL "${child% *}" 2>/dev/null || true; done
    fi
    deadline=$((SECONDS + start_seconds))
    for child in "${children[@]}"; do
      while alive "${child% *}" "${child#* }"; do
        ((SECONDS < deadline)) || fail "$name (process ${child% *}) does not end"
        sleep 0.05
      done
    done
  done < <(tac "$dir/processes")
  # It names a process that looks alive to the next server as long as nobody has waited for it.
  [[ $1 != postgres || -z $kill ]] || rm -f "$dir/postgres/data/postmaster.pid"
}

halt() {
  [[ -s $dir/ports && -s $dir/$1.command ]] || fail "no $1 that could be restarted was started in $dir"
  # shellcheck disable=SC1091
  source "$dir/ports"
  find_programs
  end_for_restart "$1"
}

restart() {
  local name=$1 command
  halt "$name"
  eval "command=($(<"$dir/$name.command"))"
  launch "$name" "$dir/$name" "${command[@]}"
  await "$name" || fail "$name could not be started again on its ports"
}

# ---- commands ----------------------------------------------------------------------------------

start() {
  local mode
  want_rabbitmq=1 want_postgres=1
  if [[ -z $restartable ]]; then
    [[ -z ${DISTRIBUTED_TEST_RABBITMQ:-} ]] || want_rabbitmq=
    [[ -z ${DISTRIBUTED_TEST_POSTGRES:-} ]] || want_postgres=
  fi

  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd -P)
  if [[ -s $dir/processes || -s $dir/containers ]]; then
    fail "servers were started in $dir before; first: servers.sh stop $dir"
  fi

  if [[ -n $want_rabbitmq || -n $want_postgres ]]; then
    # A signal only sets a flag, so that none falls between starting a process and noting its id.
    trap 'interrupted=1' INT TERM HUP
    trap 'stop_all' EXIT
    if [[ -n $owner ]]; then
      # shellcheck disable=SC2016
      launch guard "$dir" bash -c 'tail --pid="$1" -f /dev/null; exec "$2" stop "$3"' guard "$owner" "$self" "$dir"
    fi

    postgres_password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    mode=packages
    if [[ -z $restartable ]] && docker_works; then
      if start_containers; then
        mode=containers
      else
        say "containers could not be used; going on with the distribution's packages"
        if [[ -s $dir/containers ]]; then
          xargs docker rm --force --volumes <"$dir/containers" >/dev/null 2>&1 || true
          rm -f "$dir/containers"
        fi
      fi
    fi
    if [[ $mode == packages ]]; then
      find_or_install
      still_wanted
      [[ -z $want_rabbitmq ]] || start_rabbitmq
      [[ -z $want_postgres ]] || start_postgres
      [[ -z $want_rabbitmq ]] || await_or_again rabbitmq
      [[ -z $want_postgres ]] || await_or_again postgres
      printf '%s=%s\n' amqp_port "$amqp_port" management_port "$management_port" prometheus_port "$prometheus_port" postgres_port "$postgres_port" >"$dir/ports"
    fi
    still_wanted
    trap - EXIT
  fi

  if [[ -n $want_rabbitmq ]]; then
    DISTRIBUTED_TEST_RABBITMQ="amqp://guest:guest@127.0.0.1:$amqp_port/"
    DISTRIBUTED_TEST_RABBITMQ_MANAGEMENT="http://guest:guest@127.0.0.1:$management_port"
    DISTRIBUTED_TEST_RABBITMQ_PROMETHEUS="http://127.0.0.1:$prometheus_port"
  fi
  if [[ -n $want_postgres ]]; then
    DISTRIBUTED_TEST_POSTGRES="Host=127.0.0.1;Port=$postgres_port;Username=distributed;Password=$postgres_password;Database=postgres"
  fi
  printf 'export DISTRIBUTED_TEST_RABBITMQ=%q\n' "$DISTRIBUTED_TEST_RABBITMQ"
  printf 'export DISTRIBUTED_TEST_RABBITMQ_MANAGEMENT=%q\n' "${DISTRIBUTED_TEST_RABBITMQ_MANAGEMENT:-}"
  printf 'export DISTRIBUTED_TEST_RABBITMQ_PROMETHEUS=%q\n' "${DISTRIBUTED_TEST_RABBITMQ_PROMETHEUS:-}"
  printf 'export DISTRIBUTED_TEST_POSTGRES=%q\n' "$DISTRIBUTED_TEST_POSTGRES"
}

command=${1:-}
dir=${2:-}
[[ -n $dir ]] || usage
case $command in
  start)
    shift 2
    while (($# > 0)); do
      case $1 in
        --owner)
          [[ ${2:-} =~ ^[0-9]+$ ]] || usage
          owner=$2
          shift 2
          ;;
        --restartable)
          restartable=1
          shift
          ;;
        *) usage ;;
      esac
    done
    start
    ;;
  restart | halt)
    [[ ${3:-} == rabbitmq || ${3:-} == postgres ]] || usage
    if (($# == 4)) && [[ $4 == --kill ]]; then
      kill=1
    elif (($# != 3)); then
      usage
    fi
    [[ -d $dir ]] || fail "no servers were started in $dir"
    dir=$(cd "$dir" && pwd -P)
    "$command" "$3"
    ;;
  stop)
    (($# == 2)) || usage
    [[ -d $dir ]] || exit 0
    dir=$(cd "$dir" && pwd -P)
    stop_all
    ;;
  *) usage ;;
esac
