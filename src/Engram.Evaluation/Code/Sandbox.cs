using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Engram.Evaluation.Code;

/// <summary>
/// Runs generated Python programs: each in a process of its own under a user without rights, in namespaces of its own (files, network,
/// processes), under a
/// root that holds the
/// interpreter and the system's libraries, read-only, and one small folder in memory that vanishes with the process. Linux only; where the
/// kernel forbids any
/// of it,
/// <see cref="Open"/> refuses and says why.
/// </summary>
/// <remarks>
/// It keeps apart what a language model writes by chance or imitation. It is no boundary against somebody who knows a hole in the kernel.
/// Tests run in the interpreter of the program that they judge, as in the published harnesses. That it came to its end it cannot read
/// anywhere: the word that says so is sent to it only then. A program that imitates the driver, which no other text shows, can ask for it.
/// </remarks>
public sealed class Sandbox
{
    // Users that no account has; one a run, so that the limit on processes counts each program alone.
    private const uint FirstUser = 1_900_000_000;
    private const uint Users = 100_000_000;

    private const string RootPrefix = "engram-sandbox-";

    private static readonly string[] Tools = ["/bin/sh", "unshare", "mount", "chroot", "env", "timeout", "setpriv", "prlimit"];

    // $1 root, $2 the interpreter's folder, $3 bytes of files, $4 bytes of the program; the command follows. The program comes through the
    // standard input. Shared memory and message queues of System V, which no limit of a process counts, are not to be had.
    private const string Setup = """
        root=$1; python=$2; files=$3; bytes=$4; shift 4
        set -e
        for name in shmmni msgmni; do
            { echo 0 > /proc/sys/kernel/$name; } 2>/dev/null || :
        done
        mount -t tmpfs -o size=1m,mode=755,nosuid,nodev engram "$root"
        for place in /usr /bin /lib /lib64 "$python"; do
            [ -e "$place" ] || continue
            mkdir -p "$root$place"
            mount --bind "$place" "$root$place"
            mount -o remount,bind,ro,nosuid,nodev "$root$place" 2>/dev/null || mount -o remount,bind,ro "$root$place"
        done
        mkdir -p "$root/dev" "$root/tmp"
        : > "$root/dev/null"
        mount --bind /dev/null "$root/dev/null"
        mount -t tmpfs -o size=$files,nr_inodes=1000,mode=777,nosuid,nodev engram "$root/tmp"
        head -c "$bytes" > "$root/tmp/program.py"
        mount -o remount,ro "$root"
        echo engram-sandbox-ready >&2
        exec chroot "$root" "$@"
        """;

    // Runs the program as a script would run, and asks for the word that ends it: no name of the script leads to any of this.
    private const string Driver = """
        def run():
            import os, sys
            parent, write, read = os.dup(0), os.write, os.read
            nothing = os.open("/dev/null", os.O_RDONLY)
            os.dup2(nothing, 0)
            os.close(nothing)
            with open("/tmp/program.py", encoding="utf-8") as file:
                source = file.read()
            names = globals()
            del names["run"]
            names["__file__"] = "/tmp/program.py"
            exec(compile(source, "/tmp/program.py", "exec", dont_inherit=True), names)
            sys.stdout.flush()
            write(2, b"\nengram-sandbox-end\n")
            write(1, b"\n" + read(parent, 64))
        run()
        """;

    // Checks from the inside what the documentation promises.
    private const string Probe = """
        import os, socket
        def refused(action):
            try:
                action()
            except OSError:
                return True
            return False
        def fork():
            if os.fork() == 0:
                os._exit(0)
        assert refused(fork), "processes can be started"
        assert refused(lambda: socket.create_connection(("192.0.2.1", 9), 1)), "the network can be reached"
        assert all(refused(lambda: open(folder + "/engram-probe", "w")) for folder in ("/", "/usr", "/usr/lib", "/dev")), "files outside can be written"
        assert not os.path.exists("/etc/passwd") and not os.path.exists("/proc/self"), "files of the system can be read"
        try:
            import ctypes
        except ImportError:
            ctypes = None
        assert ctypes is None or ctypes.CDLL(None).shmget(0, 4096, 0o1600) < 0, "shared memory can be taken without a limit"
        assert refused(lambda: os.setuid(0)) or os.getuid() == 0 and refused(lambda: os.chroot("/tmp")), "rights can be regained"
        """;

    private static long _runs = Environment.ProcessId * 1009L;

    private readonly string _python;
    private readonly string _prefix;
    private readonly bool _isRoot = Environment.IsPrivilegedProcess;

    private Sandbox(string python, string prefix) => (_python, _prefix) = (python, prefix);

    /// <summary>A sandbox whose isolation has been tried.</summary>
    /// <param name="python">The interpreter, a name or a path.</param>
    /// <exception cref="NotSupportedException">Programs cannot be isolated here; the message says why.</exception>
    public static Sandbox Open(string python = "python3")
    {
        if (!OperatingSystem.IsLinux())
            throw new NotSupportedException("Generated code is run on Linux only, where it can be isolated.");
        foreach (var tool in Tools)
            if (Find(tool) is null)
                throw new NotSupportedException(
                    $"Generated code is not run: the program \"{tool}\" is missing, which isolates it (packages util-linux and coreutils)."
                );
        if (Find(python) is not { } interpreter || Ask(interpreter) is not [var executable, var prefix])
            throw new NotSupportedException(
                $"Generated code is not run: no Python interpreter \"{python}\" answers. Install Python 3 or name another interpreter."
            );
        DeleteWhatKilledRunsLeft();
        var sandbox = new Sandbox(executable, prefix);
        var probe = sandbox.Run(Probe, new SandboxLimits { CpuSeconds = 20, WallSeconds = 300 });
        return probe.Passed
            ? sandbox
            : throw new NotSupportedException($"Generated code is not run: its isolation fails here ({probe.Message}).");
    }

    /// <summary>Runs a program and waits for its end.</summary>
    /// <param name="program">Python source. A program that ends itself early has not passed.</param>
    /// <param name="limits">What it may use; the defaults if null.</param>
    /// <param name="cancellation">Ends the program too.</param>
    /// <exception cref="NotSupportedException">The isolation could not be set up.</exception>
    public SandboxResult Run(string program, SandboxLimits? limits = null, CancellationToken cancellation = default)
    {
        limits ??= new SandboxLimits();
        var root = Directory.CreateTempSubdirectory(RootPrefix);
        try
        {
            // What only a program that came to its end can have written: nobody else is told.
            var end = Convert.ToHexString(RandomNumberGenerator.GetBytes(16));
            var source = Encoding.UTF8.GetBytes($"{program}\n");
            using var process = Process.Start(StartInfo(root.FullName, source.Length, limits))!;
            using var stop = cancellation.Register(() => Kill(process));
            var capture = new SandboxCapture(
                process,
                limits.OutputBytes,
                ended: () => Send(process, Encoding.UTF8.GetBytes($"{end}\n")),
                stop: () => Kill(process)
            );
            Send(process, source);
            process.WaitForExit();
            capture.Wait();
            cancellation.ThrowIfCancellationRequested();
            return Judge(process.ExitCode, capture, end, limits);
        }
        finally
        {
            // Everything that the program wrote lay in the namespace's memory; this is the empty place where it was mounted.
            root.Delete();
        }
    }

    /// <summary>
    /// A process that was killed leaves the empty folder where its program's root was mounted. One of a day ago is nobody's any more.
    /// </summary>
    private static void DeleteWhatKilledRunsLeft()
    {
        foreach (var root in new DirectoryInfo(Path.GetTempPath()).EnumerateDirectories($"{RootPrefix}*"))
            if (root.LastWriteTimeUtc < DateTime.UtcNow.AddDays(-1))
                try
                {
                    root.Delete();
                }
                catch (Exception error) when (error is IOException or UnauthorizedAccessException)
                {
                    // Another user's, or another process deletes it too: it is empty, and nothing depends on it.
                }
    }

    private ProcessStartInfo StartInfo(string root, int bytes, SandboxLimits limits)
    {
        string[] spaces = ["--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child"];
        var user = (FirstUser + (uint)(Interlocked.Increment(ref _runs) % Users)).ToString(CultureInfo.InvariantCulture);
        // Without privileges the program keeps its user, alone in a namespace of users and without any capability.
        string[] identity = _isRoot ? ["--reuid", user, "--regid", user, "--clear-groups"] : [];
        var info = new ProcessStartInfo(
            Find("setpriv")!,
            [
                // Whatever ends this process ends the program: the kernel kills it with the thread that waits for it.
                "--pdeathsig",
                "KILL",
                Find("unshare")!,
                .. _isRoot ? [] : (string[])["--user", "--map-root-user"],
                .. spaces,
                "/bin/sh",
                "-c",
                Setup,
                "sandbox",
                root,
                _prefix,
                $"{limits.FileBytes}",
                $"{bytes}",
                "/usr/bin/env",
                "-C",
                "/tmp",
                "timeout",
                "-k",
                "1",
                $"{limits.WallSeconds}",
                "setpriv",
                .. identity,
                "--no-new-privs",
                "--inh-caps=-all",
                "--bounding-set=-all",
                "prlimit",
                $"--nproc={limits.Processes}",
                $"--as={limits.MemoryBytes}",
                $"--cpu={limits.CpuSeconds}:{limits.CpuSeconds + 1}",
                $"--fsize={limits.FileBytes}",
                $"--nofile={limits.OpenFiles}",
                "--core=0",
                _python,
                "-I",
                "-S",
                "-B",
                "-u",
                "-c",
                Driver,
            ]
        )
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = "/",
        };
        info.Environment.Clear();
        info.Environment["PATH"] = "/usr/bin:/bin:/usr/sbin:/sbin";
        info.Environment["LANG"] = "C.UTF-8";
        info.Environment["PYTHONHASHSEED"] = "0";
        return info;
    }

    private static SandboxResult Judge(int exitCode, SandboxCapture capture, string end, SandboxLimits limits)
    {
        var (errors, output) = (capture.Errors, capture.Output);
        if (!errors.Contains(SandboxCapture.Ready, StringComparison.Ordinal))
            throw new NotSupportedException($"Generated code is not run: it cannot be isolated here ({SandboxCapture.LastLine(errors)}).");
        var completed = output.IndexOf($"\n{end}\n", StringComparison.Ordinal);
        if (capture.Exceeded)
            return new(SandboxOutcome.OutputLimit, $"output limit of {limits.OutputBytes} bytes", output);
        if (exitCode == 0 && completed >= 0)
            return new(SandboxOutcome.Completed, "completed", output[..completed]);
        var last = SandboxCapture.LastLine(errors);
        return exitCode switch
        {
            0 => new(SandboxOutcome.Failed, "ended itself before its last line", output),
            // 124: the time from start to end; 152: a signal for processor time, 137: one that cannot be ignored.
            124 => new(SandboxOutcome.TimeLimit, $"time limit of {limits.WallSeconds} s", output),
            137 or 152 => new(SandboxOutcome.TimeLimit, $"processor time limit of {limits.CpuSeconds} s, or killed", output),
            _ when last.StartsWith("MemoryError", StringComparison.Ordinal) => new(
                SandboxOutcome.MemoryLimit,
                $"memory limit of {limits.MemoryBytes >> 20} MiB",
                output
            ),
            _ => new(SandboxOutcome.Failed, last.Length > 0 ? last : $"exit code {exitCode}", output),
        };
    }

    private static void Send(Process process, byte[] bytes)
    {
        try
        {
            process.StandardInput.BaseStream.Write(bytes);
            process.StandardInput.BaseStream.Flush();
        }
        catch (IOException)
        {
            // The set-up has failed and reads nothing, and its message says why; or the program has ended.
        }
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill(); // the first process of the namespace dies with it, and all others with that one
        }
        catch (InvalidOperationException)
        {
            // It has ended already.
        }
    }

    private static string? Find(string program) =>
        program.Contains('/')
            ? (File.Exists(program) ? program : null)
            : $"{Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/sbin"
                .Split(':', StringSplitOptions.RemoveEmptyEntries)
                .Select(folder => Path.Combine(folder, program))
                .FirstOrDefault(File.Exists);

    /// <summary>The interpreter itself, behind links and version managers, and the folder that holds its library.</summary>
    private static string[] Ask(string interpreter)
    {
        try
        {
            using var process = Process.Start(
                new ProcessStartInfo(
                    interpreter,
                    ["-I", "-c", "import sys, os; print(os.path.realpath(sys.executable)); print(sys.base_prefix)"]
                )
                {
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                    UseShellExecute = false,
                }
            )!;
            process.ErrorDataReceived += (_, _) => { };
            process.BeginErrorReadLine();
            var answer = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? answer.Split('\n', StringSplitOptions.RemoveEmptyEntries) : [];
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return [];
        }
    }
}
