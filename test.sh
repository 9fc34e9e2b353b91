#!/usr/bin/env bash
# The one command that builds everything and runs all tests:
#
#   ./test.sh                              all test projects
#   ./test.sh Catalog.Tests System.Tests   only these
#   ./test.sh Catalog.Tests -- OPTIONS     OPTIONS go to the test runner, e.g. --filter-class '*Runs*'
#   ./test.sh fuzz                         a million generated or mutated inputs for every parser of outside data;
#                                          [PARSER…] [--inputs N] [--seconds N] [--seed N] [--input INDEX] [--save FILE]
#   ./test.sh faults                       real services, broker and database are killed, restarted, frozen and starved under runs;
#                                          [ROW…] [--minutes N] [--runs N] [--seed N] [--logs FOLDER]
#   ./test.sh compose                      the whole system in containers, as README.md and docs/operations.md bring it up: minutes
#
# It needs the .NET SDK 10. RabbitMQ and PostgreSQL are started for the run and stopped after it, see
# infra/local/servers.sh; as root on Debian or Ubuntu what is missing is installed. Of the system in containers ./test.sh shows the
# most important where a container engine runs; ./test.sh compose shows all, and starts an engine where none runs (infra/local/engine.sh).
#
# Variables: DISTRIBUTED_TEST_DATA (a folder of image data sets; tests that want one skip without),
# DISTRIBUTED_TEST_RABBITMQ, DISTRIBUTED_TEST_RABBITMQ_MANAGEMENT and DISTRIBUTED_TEST_POSTGRES (servers
# that run already), DISTRIBUTED_TEST_CHROMIUM (the browser), DISTRIBUTED_ENGINE_DATA (a folder that keeps the images of an engine
# that is started here), DISTRIBUTED_TEST_PICTURES (a folder, from the root of the disk on: Observability.Tests draws the dashboards there).
#
# The last line reads "N passed, N failed, N skipped". The exit status is 0 only when at least one test
# ran and none failed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$root"

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# ---- fuzzing: needs no servers, and ends with a table --------------------------------------------

if [[ ${1:-} == fuzz ]]; then
  command -v dotnet >/dev/null || fail "the .NET SDK 10 is needed, and there is no dotnet on the PATH"
  dotnet build --configuration Release --verbosity quiet tests/Fuzzing/Fuzzing.csproj
  exec dotnet tests/Fuzzing/bin/Release/net10.0/Distributed.Fuzzing.dll "${@:2}"
fi

# ---- faults: starts servers of its own, which it restarts, and ends with a table ------------------

if [[ ${1:-} == faults ]]; then
  command -v dotnet >/dev/null || fail "the .NET SDK 10 is needed, and there is no dotnet on the PATH"
  MSBUILDDISABLENODEREUSE=1 dotnet build --configuration Release --verbosity quiet -p:SharedCompilationId="distributed-$$" tests/Faults/Faults.csproj
  exec dotnet tests/Faults/bin/Release/net10.0/Distributed.Faults.dll "${@:2}"
fi

# ---- the system in containers: the long form of one project, which needs nothing but the engine ---

compose=
if [[ ${1:-} == compose ]]; then
  compose=1
  shift
  set -- Compose.Tests "$@"
fi

# ---- what to run -------------------------------------------------------------------------------

projects=()
options=()
while (($# > 0)); do
  case $1 in
    -h | --help)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --)
      shift
      options=("$@")
      break
      ;;
    -*) fail "unknown option $1 (see ./test.sh --help)" ;;
    *)
      [[ -f tests/$1/$1.csproj ]] ||
        fail "there is no test project $1; there are: $(cd tests && printf '%s ' *.Tests)"
      projects+=("$1")
      shift
      ;;
  esac
done

# wanted PROJECT: is it there, and part of this run?
wanted() {
  local name
  [[ -f tests/$1/$1.csproj ]] || return 1
  ((${#projects[@]} > 0)) || return 0
  for name in "${projects[@]}"; do
    [[ $name != "$1" ]] || return 0
  done
  return 1
}

command -v dotnet >/dev/null || fail "the .NET SDK 10 is needed, and there is no dotnet on the PATH"
version=$(dotnet --version 2>/dev/null) || version=none
[[ $version == 10.* ]] || fail "the .NET SDK 10 is needed (global.json), but dotnet --version says: $version"

# ---- starting and cleaning up ------------------------------------------------------------------

work=$(mktemp -d "${TMPDIR:-/tmp}/distributed-tests.XXXXXX")
group=
# The servers run as users of their own, who must be able to enter.
chmod 711 "$work"

# What tests that were ended have left in the container engine.
# shellcheck disable=SC2317 # cleanup calls it
remove_projects() {
  local project kind ids
  [[ -s $work/projects ]] || return 0
  while read -r project; do
    for kind in container volume network; do
      mapfile -t ids < <(docker "$kind" ls --quiet $([[ $kind != container ]] || echo --all) --filter "label=com.docker.compose.project=$project")
      ((${#ids[@]} == 0)) || docker "$kind" rm $([[ $kind == network ]] || echo --force) "${ids[@]}" >/dev/null || true
    done
  done <"$work/projects"
}

# shellcheck disable=SC2317 # the trap calls it
cleanup() {
  trap '' INT TERM HUP
  # All that the current step has started, test hosts and services included.
  if [[ -n $group ]]; then
    # The shell need not report its end.
    disown -a
    kill -KILL -- "-$group" 2>/dev/null || true
  fi
  infra/local/servers.sh stop "$work/servers" || true
  remove_projects
  infra/local/engine.sh stop "$work/engine" || true
  rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# step COMMAND...: runs it in a process group of its own and waits in a way that a signal interrupts.
# What it leaves running in that group ends with it. Its output goes to the terminal and to a file.
step() {
  local code=0 copy
  rm -f "$work/pipe"
  mkfifo "$work/pipe"
  tee -a "$work/output" <"$work/pipe" &
  copy=$!
  setsid "$@" </dev/null >"$work/pipe" 2>&1 &
  group=$!
  wait "$group" || code=$?
  kill -KILL -- "-$group" 2>/dev/null || true
  group=
  wait "$copy" || true
  return "$code"
}

# Build processes that other builds cannot come to share, as they end with their step.
export MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
build=(dotnet build --configuration Release -p:UseSharedCompilation=true -p:SharedCompilationId="distributed-$$")

if ((${#projects[@]} == 0)); then
  step "${build[@]}" Distributed.sln
else
  for project in "${projects[@]}"; do
    step "${build[@]}" "tests/$project/$project.csproj"
  done
fi

# With the guard's help the servers end even if this script is killed outright.
if [[ -z $compose ]]; then
  exports=$(infra/local/servers.sh start "$work/servers" --owner $$)
  eval "$exports"
fi
if [[ -n $compose ]]; then
  # Checkouts of tests that are ended go with the rest.
  export DISTRIBUTED_TEST_COMPOSE_LONG=1 TMPDIR="$work"
  exports=$(infra/local/engine.sh start "$work/engine" --owner $$)
  eval "$exports"
elif wanted Compose.Tests && exports=$(infra/local/engine.sh start "$work/engine" --running); then
  eval "$exports"
fi
if wanted Browser.Tests; then
  if exports=$(infra/local/chromium.sh); then
    eval "$exports"
  else
    echo "warning: without Chromium the browser tests cannot pass" >&2
  fi
fi
if wanted System.Tests; then
  command -v strace >/dev/null || infra/local/packages.sh strace || echo "warning: without strace the test of a slow disk is skipped" >&2
fi
if wanted Inference.Tests; then
  /usr/bin/python3 -c 'import onnx, numpy, PIL' 2>/dev/null || infra/local/packages.sh python3 python3-onnx python3-numpy python3-pil || echo "warning: without python3-onnx and python3-pil tests of exported models fail" >&2
  command -v npm >/dev/null || infra/local/packages.sh nodejs npm || echo "warning: without npm the test with Azure Custom Vision's client fails" >&2
fi
if wanted Observability.Tests; then
  { command -v prometheus && command -v promtool; } >/dev/null || infra/local/packages.sh prometheus || echo "warning: without Prometheus nobody asks whether dashboards and alerts have data" >&2
fi
if wanted TestServers.Tests && ! docker compose version >/dev/null 2>&1 && ! command -v docker-compose >/dev/null; then
  infra/local/packages.sh docker-compose || echo "warning: docker-compose.yml goes unchecked" >&2
fi

# ---- running -----------------------------------------------------------------------------------

# One test project at a time: several time things, and some start whole sets of services.
run=(dotnet test --configuration Release --no-build --no-progress --no-ansi --max-parallel-test-modules 1)
: >"$work/output"
export DISTRIBUTED_TEST_FIGURES="$work/figures" DISTRIBUTED_TEST_PROJECTS="$work/projects"
code=0
if ((${#projects[@]} == 0)); then
  step "${run[@]}" --solution Distributed.sln "${options[@]}" || code=$?
else
  for project in "${projects[@]}"; do
    step "${run[@]}" --project "tests/$project/$project.csproj" "${options[@]}" || code=$?
  done
fi

# Every invocation ends with a block "Test run summary: ..." of lines "  NAME: COUNT".
read -r total failed passed skipped < <(awk '
  /^Test run summary:/ { inside = 1; next }
  inside && $1 ~ /^(total|failed|succeeded|skipped):$/ { count[$1] += $2; next }
  inside && $1 == "duration:" { inside = 0 }
  END { print count["total:"] + 0, count["failed:"] + 0, count["succeeded:"] + 0, count["skipped:"] + 0 }
' "$work/output")

if ((code != 0 && failed == 0)); then
  echo "error: the test run ended with status $code although no test failed; counted as one failure" >&2
  failed=1
elif ((total == 0)); then
  echo "error: no test ran" >&2
  code=1
elif ((failed > 0 && code == 0)); then
  code=1
fi
# Once more at the end, where they are found: which tests failed, and the first lines of what they said.
if ((failed > 0)); then
  awk '/^failed / { print ""; left = 12 } left > 0 { print; left-- }' "$work/output"
  echo
fi
if [[ -s $work/figures ]]; then
  cat "$work/figures"
  [[ -z $compose ]] || echo "tests of the system in containers: $SECONDS s, all in all"
  echo
fi
echo "$passed passed, $failed failed, $skipped skipped"
exit "$code"
