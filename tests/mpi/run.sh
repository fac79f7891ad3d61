#!/bin/sh
# run.sh JOB WORK: trains with 1, 2, 3, 4 and 7 ranks, which must give the same bits, and ends ranks in several ways: the
# job must end, name the rank, and go on from its backup. CORNU_MPI_KILLS: how many times a rank is killed (3).
# Exits with 77 without mpirun.
set -eu
job=$1 work=$2
command -v mpirun >/dev/null || exit 77
rm -rf "$work"
mkdir -p "$work"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_vader_single_copy_mechanism=none

fail() { echo "FAILED: $*"; exit 1; }

# ranks COUNT TASK FOLDER: prints what the job prints, to FOLDER/out and FOLDER/err, too.
ranks() {
  mkdir -p "$work/$3"
  timeout 60 mpirun --oversubscribe --bind-to none -n "$1" "$job" "$work/$3" "$2" >"$work/$3/out" 2>"$work/$3/err"
}

# The same bits on any number of ranks, and without mpirun.
mkdir -p "$work/alone"
"$job" "$work/alone" train >"$work/alone/out"
for count in 1 2 3 4 7; do
  ranks "$count" train "of_$count" || { cat "$work/of_$count/err"; fail "$count ranks"; }
  cmp "$work/alone/weights.safetensors" "$work/of_$count/weights.safetensors" || fail "other weights on $count ranks"
  # Times differ.
  grep -o 'accuracy.*loss [0-9.]*' "$work/alone/out" >"$work/expected"
  grep -o 'accuracy.*loss [0-9.]*' "$work/of_$count/out" | cmp - "$work/expected" || fail "other output on $count ranks"
done
echo "the same bits on 1, 2, 3, 4 and 7 ranks"

# A rank that fails: all end within 30 s, and one message says which and why.
for task in throw exit abort other_options; do
  begin=$(date +%s)
  if ranks 3 "$task" "$task"; then fail "$task: the job succeeded"; fi
  took=$(($(date +%s) - begin))
  [ "$took" -le 30 ] || fail "$task: ended after $took s"
  case $task in
    throw) message='rank 1 of 3: .*the disk is on fire' ;;
    other_options) message='rank 1 of 3 differs from rank 0: batch_size is 40, not 50' ;;
    *) message= ;;
  esac
  [ -z "$message" ] || [ "$(grep -c "$message" "$work/$task/err")" = 1 ] || { cat "$work/$task/err"; fail "$task: no message, or several"; }
  echo "$task: ended after $took s"
done

# Killed at some moment, and continued on another number of ranks.
kills=${CORNU_MPI_KILLS:-3} i=0
while [ "$i" -lt "$kills" ]; do
  i=$((i + 1))
  folder=killed_$i
  mkdir -p "$work/$folder"
  ranks 3 killed "$folder" &
  launcher=$!
  while [ "$(cat "$work/$folder"/pid.* 2>/dev/null | wc -l)" -lt 3 ]; do sleep 0.01; done
  sleep "0.$(awk -v seed="$i" 'BEGIN { srand(seed); printf "%03d", rand() * 400 }')"
  kill -9 "$(cat "$work/$folder/pid.$((i % 3))")" 2>/dev/null || true
  begin=$(date +%s)
  if wait "$launcher"; then echo "killed after the end"; fi
  took=$(($(date +%s) - begin))
  [ "$took" -le 30 ] || fail "killed: ended after $took s"
  ranks $((1 + i % 4)) resumed "$folder" || { cat "$work/$folder/err"; fail "the run cannot be resumed"; }
  cmp "$work/alone/weights.safetensors" "$work/$folder/weights.safetensors" || fail "other weights after a kill"
done
echo "the same bits after $kills kills"

ranks 4 divide divide || { cat "$work/divide/err"; fail "divide"; }
[ "$(grep -c load "$work/divide/out")" = 4 ] || fail "divide: loads"
parts=$(awk '/part/ { sum += $2 } END { print sum }' "$work/divide/out")
[ "$parts" = "$(awk '/whole/ { print $2; exit }' "$work/divide/out")" ] || fail "divide: $parts samples in all parts"
