#!/usr/bin/env bash
# A container engine for tests of the whole system, with the base images of docker-compose.yml and infra/docker:
#
#   eval "$(infra/local/engine.sh start DIR)"    finds or starts it, sets the variables below
#   infra/local/engine.sh stop DIR               ends exactly what was started there, and removes its data
#
#   start DIR --owner PID                        also stops it when process PID is gone
#   start DIR --running                          only an engine that runs already; fails where there is none
#
# Where it comes from, in this order:
#   1. the engine that answers `docker version` (DOCKER_HOST is respected). It stays as it is; images that it lacks are pulled;
#   2. as root on Debian or Ubuntu, a private one below DIR, of the distribution's packages, which are installed when missing.
#      It listens on a socket in DIR, and its containers' ports are on loopback.
#
# Where the private engine cannot pull a base image, an image of the same name is built from the distribution's packages and this
# machine's .NET SDK (infra/local/base-images). Its versions are the distribution's, so it serves tests and nothing else.
#
# DISTRIBUTED_ENGINE_DATA names a folder that keeps the private engine's images from one time to the next; without it they
# are below DIR, and go with it. One engine at a time can use it.
#
# Sets DISTRIBUTED_TEST_COMPOSE (how compose is called), and what a client needs: DOCKER_HOST, PATH, BuildKit's switches.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
self="$here/$(basename "${BASH_SOURCE[0]}")"
root=$(cd "$here/../.." && pwd)

start_seconds=60
# A registry that has said nothing of an image for so long is not there.
registry_seconds=10
pull_seconds=900

dir=
owner=
only_running=
interrupted=

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "error: $*"
  exit 1
}

usage() {
  say "usage: engine.sh start DIR [--owner PID] [--running] | stop DIR"
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

# launch NAME COMMAND...: in the background, in a session of its own, output to DIR/NAME.log
launch() {
  local name=$1 started
  shift
  setsid "$@" </dev/null >>"$dir/$name.log" 2>&1 &
  started=$(start_time "$!") || started=0
  printf '%s %s\n' "$!" "$started" >"$dir/$name.process"
  # The shell reports no end of what it does not own.
  disown "$!"
}

# Ends what launch NAME has started, within some seconds.
end() {
  local name=$1 pid started deadline
  [[ -s $dir/$name.process ]] || return 0
  read -r pid started <"$dir/$name.process"
  if alive "$pid" "$started"; then
    kill -TERM "$pid" 2>/dev/null || true
    deadline=$((SECONDS + 60))
    while alive "$pid" "$started" && ((SECONDS < deadline)); do sleep 0.05; done
    # With what it has started: containerd is in its group.
    kill -KILL -- "-$pid" 2>/dev/null || true
    ! alive "$pid" "$started" || say "warning: $name (process $pid) does not end"
  fi
  rm -f "$dir/$name.process"
}

# Called in every turn of a waiting loop.
still_wanted() {
  [[ -z $interrupted ]] || fail "interrupted"
  [[ -z $owner ]] || kill -0 "$owner" 2>/dev/null || fail "the process this engine is for (process $owner) has ended"
}

# ---- the client --------------------------------------------------------------------------------

# A client that builds with BuildKit: one with the buildx plugin, or one from before it was needed. Debian's package has the
# second kind, and another docker may stand before it on the PATH. Puts the right one first.
find_client() {
  local candidate version
  for candidate in "$(command -v docker || true)" /usr/bin/docker; do
    [[ -x $candidate ]] || continue
    version=$("$candidate" --version) || continue
    version=${version#Docker version }
    if "$candidate" buildx version >/dev/null 2>&1 || ((${version%%.*} < 23)); then
      [[ $(command -v docker) == "$candidate" ]] || PATH="$(dirname "$candidate"):$PATH"
      hash -r
      return 0
    fi
  done
  return 1
}

find_compose() {
  if docker compose version >/dev/null 2>&1; then
    compose='docker compose'
  elif command -v docker-compose >/dev/null; then
    compose=docker-compose
  else
    return 1
  fi
}

engine_answers() { timeout 10 docker version >/dev/null 2>&1; }

# ---- a private engine --------------------------------------------------------------------------

data_root() { printf '%s\n' "${DISTRIBUTED_ENGINE_DATA:-$dir/data}"; }

start_engine() {
  local deadline data name missing=()
  [[ $(uname -m) == x86_64 ]] || fail "no engine answers, and a private one is started on x64 only"
  for name in dockerd:docker.io iptables:iptables ip:iproute2 docker-compose:docker-compose debootstrap:debootstrap; do
    [[ -n $(PATH=$PATH:/usr/sbin:/sbin command -v "${name%:*}") ]] || missing+=("${name#*:}")
  done
  ((EUID == 0)) || fail "no container engine: start Docker, or name one in DOCKER_HOST (started by itself only as root on Debian or Ubuntu)"
  ((${#missing[@]} == 0)) || "$here/packages.sh" "${missing[@]}" ||
    fail "no container engine: start Docker, or name one in DOCKER_HOST"
  find_client || fail "docker.io is installed, but no docker that builds images was found"

  data=$(data_root)
  mkdir -p "$data"
  remember_network
  printf '{}\n' >"$dir/daemon.json"
  export DOCKER_HOST="unix://$dir/engine.sock" DOCKER_CONFIG="$dir/client"
  mkdir -p "$DOCKER_CONFIG"
  # Published ports are on loopback also where a compose file forgets to say so.
  launch engine dockerd --config-file "$dir/daemon.json" --host "$DOCKER_HOST" --ip 127.0.0.1 \
    --data-root "$data" --exec-root "$dir/exec" --pidfile "$dir/engine.pid"
  deadline=$((SECONDS + start_seconds))
  until engine_answers; do
    still_wanted
    if ((SECONDS >= deadline)) || ! alive $(<"$dir/engine.process"); then
      tail -n 20 "$dir/engine.log" >&2
      fail "the engine did not start"
    fi
    sleep 0.1
  done
}

# What the engine changes of this machine's network, and leaves behind when it ends.
remember_network() {
  {
    ip link show docker0 >/dev/null 2>&1 || echo bridge
    iptables -S DOCKER >/dev/null 2>&1 || echo chains
    [[ $(</proc/sys/net/ipv4/ip_forward) == 1 ]] || echo forward
  } >"$dir/network"
}

restore_network() {
  local change table rule
  [[ -e $dir/network ]] || return 0
  while read -r change; do
    case $change in
      bridge) ip link delete docker0 2>/dev/null || true ;;
      chains)
        for table in filter nat; do
          while read -r rule; do
            # shellcheck disable=SC2086 # a rule is several words
            iptables -t "$table" -D ${rule#-A } 2>/dev/null || true
          done < <(iptables -t "$table" -S | grep -E '^-A .*(DOCKER|docker0|172\.17\.)')
          while read -r rule; do iptables -t "$table" -X "${rule#-N }" 2>/dev/null || true; done < <(iptables -t "$table" -S | grep '^-N DOCKER')
        done
        ;;
      forward)
        echo 0 >/proc/sys/net/ipv4/ip_forward
        iptables -P FORWARD ACCEPT
        ;;
    esac
  done <"$dir/network"
  rm -f "$dir/network"
}

stop_engine() {
  local containers
  # The guard may be the very process that runs this.
  [[ ! -s $dir/guard.process ]] || [[ $(<"$dir/guard.process") == "$$ "* ]] || end guard
  rm -f "$dir/guard.process"
  [[ -e $dir/engine.process ]] || return 0
  find_client || true
  export DOCKER_HOST="unix://$dir/engine.sock" DOCKER_CONFIG="$dir/client"
  # At once, as they would otherwise get their time to stop.
  if mapfile -t containers < <(timeout 30 docker ps --all --quiet 2>/dev/null) && ((${#containers[@]} > 0)); then
    timeout 120 docker rm --force --volumes "${containers[@]}" >/dev/null 2>&1 || true
  fi
  timeout 60 docker volume prune --force >/dev/null 2>&1 || true
  timeout 60 docker network prune --force >/dev/null 2>&1 || true
  end engine
  restore_network
  # Never into what is still mounted.
  rm -rf --one-file-system "$dir/data" "$dir/exec" "$dir/client" "$dir/base"
  rm -f "$dir/engine.sock" "$dir/engine.pid" "$dir/daemon.json"
}

# ---- base images -------------------------------------------------------------------------------

# The images that tests need and the project does not build itself.
base_images() {
  local dotnet
  dotnet=$(sed -n 's/^ARG DOTNET=//p' "$root/infra/docker/service.Dockerfile")
  {
    sed -n 's/^ *image: *//p' "$root/docker-compose.yml" | grep -E '^(rabbitmq|postgres|prom/prometheus):'
    sed -n 's/^FROM \(mcr[^ ]*\).*/\1/p' "$root/infra/docker/service.Dockerfile" | sed "s/\${DOTNET}/$dotnet/"
  } | sort -u
}

present() { docker image inspect "$1" >/dev/null 2>&1; }

# pull IMAGE: gives up soon where no registry answers, and has time where one does.
pull() {
  local pid deadline=$((SECONDS + registry_seconds)) log
  log=$(mktemp)
  timeout "$pull_seconds" docker pull "$1" >"$log" 2>&1 &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    if [[ ! -s $log ]] && ((SECONDS >= deadline)); then
      kill "$pid" 2>/dev/null || true
      break
    fi
    sleep 0.1
  done
  rm -f "$log"
  wait "$pid" 2>/dev/null
}

# build NAME IMAGE [OPTION...]
build() {
  local name=$1 image=$2
  shift 2
  say "building $image from the distribution's packages"
  docker build --quiet --tag "$image" --label org.distributed.test=1 --file "$here/base-images/$name.Dockerfile" "$@" >/dev/null
}

# The distribution itself, of its own packages.
make_distribution() {
  local suite mirror
  ! present distributed/base:local || return 0
  suite=$(. /etc/os-release && printf '%s\n' "$VERSION_CODENAME")
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $suite" | head -n 1)
  say "building the distribution's base ($suite)"
  mkdir -p "$dir/base"
  debootstrap --variant=minbase --components=main,universe "$suite" "$dir/base/root" "$mirror" >"$dir/base/log" 2>&1 ||
    { tail -n 5 "$dir/base/log" >&2; fail "debootstrap failed"; }
  rm -rf "$dir/base/root/var/cache/apt/archives"/*.deb "$dir/base/root/var/lib/apt/lists"/*
  tar -C "$dir/base/root" -c . | docker import - distributed/base:local >/dev/null
  rm -rf "$dir/base"
}

# The parts of this machine's .NET SDK, as contexts of the two images.
copy_dotnet() {
  local from part
  [[ ! -e $dir/dotnet/sdk ]] || return 0
  from=$(dirname "$(readlink -f "$(command -v dotnet)")")
  mkdir -p "$dir/dotnet/runtime/shared" "$dir/dotnet/sdk"
  cp -a "$from/dotnet" "$from/host" "$dir/dotnet/runtime/"
  for part in Microsoft.NETCore.App Microsoft.AspNetCore.App; do
    # The newest only.
    mkdir "$dir/dotnet/runtime/shared/$part"
    cp -a "$(find "$from/shared/$part" -mindepth 1 -maxdepth 1 | sort -V | tail -n 1)" "$dir/dotnet/runtime/shared/$part/"
  done
  for part in packs sdk sdk-manifests templates; do
    [[ ! -e $from/$part ]] || cp -a "$from/$part" "$dir/dotnet/sdk/"
  done
  cp -L /etc/ssl/certs/ca-certificates.crt "$dir/dotnet/"
}

# build_base IMAGE
build_base() {
  local image=$1 sdk
  make_distribution
  case $image in
    rabbitmq:* | postgres:* | prom/prometheus:*)
      image=${1%%:*}
      build "${image##*/}" "$1" "$here/base-images"
      ;;
    mcr.microsoft.com/dotnet/sdk:*)
      copy_dotnet
      build sdk "$1" "$dir/dotnet"
      ;;
    mcr.microsoft.com/dotnet/aspnet:*)
      copy_dotnet
      sdk=$(base_images | grep '/dotnet/sdk:')
      present "$sdk" || build_base "$sdk"
      build aspnet "$1" --build-arg SDK="$sdk" "$dir/dotnet"
      ;;
  esac
}

prepare_images() {
  local image registry unreachable=' '
  while read -r image; do
    still_wanted
    ! present "$image" || continue
    registry=${image%%/*}
    [[ $registry == *.* ]] || registry=default
    if [[ $unreachable != *" $registry "* ]]; then
      say "pulling $image"
      ! pull "$image" || continue
      unreachable+="$registry "
    fi
    # Under these names only an engine of our own may hold them.
    [[ -e $dir/engine.process ]] || fail "the engine has no $image, and cannot pull it"
    build_base "$image"
  done < <(base_images)
  rm -rf "$dir/dotnet"
}

# ---- commands ----------------------------------------------------------------------------------

start() {
  local variable
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd -P)
  [[ ! -e $dir/engine.process ]] || fail "an engine was started in $dir before; first: engine.sh stop $dir"

  export DOCKER_BUILDKIT=1 COMPOSE_DOCKER_CLI_BUILD=1
  if ! { find_client && engine_answers; }; then
    [[ -z $only_running ]] || fail "no container engine answers (docker version)"
    # A signal only sets a flag, so that none falls between starting a process and noting its id.
    trap 'interrupted=1' INT TERM HUP
    trap 'stop_engine' EXIT
    if [[ -n $owner ]]; then
      # shellcheck disable=SC2016
      launch guard bash -c 'tail --pid="$1" -f /dev/null; exec "$2" stop "$3"' guard "$owner" "$self" "$dir"
    fi
    start_engine
  fi
  find_compose || { "$here/packages.sh" docker-compose && find_compose; } || fail "neither docker-compose nor the compose plugin of docker is installed"
  prepare_images
  still_wanted
  trap - EXIT

  for variable in DOCKER_HOST DOCKER_CONFIG DOCKER_BUILDKIT COMPOSE_DOCKER_CLI_BUILD PATH; do
    [[ -z ${!variable:-} ]] || printf 'export %s=%q\n' "$variable" "${!variable}"
  done
  printf 'export DISTRIBUTED_TEST_COMPOSE=%q\n' "$compose"
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
        --running)
          only_running=1
          shift
          ;;
        *) usage ;;
      esac
    done
    start
    ;;
  stop)
    (($# == 2)) || usage
    [[ -d $dir ]] || exit 0
    dir=$(cd "$dir" && pwd -P)
    stop_engine
    ;;
  *) usage ;;
esac
