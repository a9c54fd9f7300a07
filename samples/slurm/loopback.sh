#!/usr/bin/env bash
# Tries studies.sbatch without a cluster: a controller and one node on this machine, an array of two jobs, a report that depends on them,
# and the same study by one process for comparison. Needs root and Debian's slurmctld, slurmd, slurm-client and munge.
# Usage: ENGRAM=artifacts/bin/Engram.Cli/release/engram samples/slurm/loopback.sh [STUDY, default controls] [SIZE, default smoke]
set -eu
sample=$(cd "$(dirname "$0")" && pwd)
study=${1:-controls} size=${2:-smoke}
work=$(mktemp -d) host=$(hostname -s)
mkdir -p "$work/bin" "$work/state" "$work/spool" "$work/jobs" /run/munge
ln -s "$(realpath "$ENGRAM")" "$work/bin/engram"
export PATH="$work/bin:$PATH" SLURM_CONF="$work/slurm.conf"
cat >"$SLURM_CONF" <<CONF
ClusterName=loopback
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MailProg=/bin/true
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
# Without a system manager, as in a container, only the older interface starts; nothing here limits jobs by it.
echo "CgroupPlugin=cgroup/v1" >"$work/cgroup.conf"
if ! munge -n >/dev/null 2>&1; then
  [ -f /etc/munge/munge.key ] || mungekey
  chown -R munge /etc/munge /run/munge /var/log/munge /var/lib/munge
  runuser -u munge -- munged
fi
trap 'scontrol shutdown >/dev/null 2>&1 || true' EXIT
slurmctld
slurmd
until sinfo -h -o %t | grep -qx idle; do sleep 1; done
sinfo

cd "$work/jobs"
array=$(sbatch --parsable --array=1-2 --cpus-per-task=1 --mem=0 --export=ALL "$sample/studies.sbatch" "$size" "" "$study")
report=$(sbatch --parsable --dependency="afterok:$array" --export=ALL --wrap "engram study report $study --size $size --runs runs/studies")
while squeue -h | grep -q .; do
  squeue -h -o "%i %T %M" | tr '\n' ';'
  echo
  sleep 5
done
tail -n 1 slurm-*.out

engram study run "$study" --size "$size" --runs whole --processes 1 2>/dev/null
engram study report "$study" --size "$size" --runs whole >/dev/null
for file in measurements.jsonl "report-$size.md" "report-$size.html"; do
  cmp "runs/studies/results/$study/$file" "whole/results/$study/$file"
done
echo "an array of two jobs ($array) with its report ($report) and one process: rows and reports are equal, byte for byte"
rm -rf "$work"
