using System.Diagnostics;
using Engram.Evaluation.Code;
using Engram.Evaluation.Datasets;

namespace Engram.Torch.Tests.Evaluation;

/// <summary>Generated code is contained: real hostile programs, each ended and reported in one line, nothing left behind.</summary>
public class SandboxTests
{
    // Stopped machines and slow ones must not look like programs that wait.
    private static readonly SandboxLimits Patient = new() { CpuSeconds = 2, WallSeconds = 500 };

    private static readonly Lazy<(Sandbox? Sandbox, string Reason)> Opened = new(() =>
    {
        try
        {
            return (Sandbox.Open(), "");
        }
        catch (NotSupportedException error)
        {
            return (null, error.Message);
        }
    });

    private static Sandbox Box()
    {
        if (Opened.Value.Sandbox is null)
            Assert.Skip(Opened.Value.Reason);
        return Opened.Value.Sandbox;
    }

    [Theory]
    [InlineData("while True: pass", "TimeLimit", "processor time")]
    [InlineData("import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass", "TimeLimit", "processor time")]
    [InlineData("import os\nwhile True: os.fork()", "Failed", "BlockingIOError")]
    [InlineData("import threading\nfor _ in range(99): threading.Thread(target=lambda: None).start()", "Failed", "RuntimeError")]
    [InlineData("x = []\nwhile True: x.append(bytearray(1 << 20))", "MemoryLimit", "256 MiB")]
    [InlineData("while True: print('x' * 1000)", "OutputLimit", "output limit")]
    [InlineData("f = open('big', 'wb')\nwhile True: f.write(b'x' * (1 << 20)); f.flush()", "Failed", "OSError")]
    [InlineData("for i in range(10**6): open(f'f{i}', 'w').close()", "Failed", "OSError")]
    [InlineData("print(open('/etc/passwd').read())", "Failed", "FileNotFoundError")]
    [InlineData("import socket\nsocket.create_connection(('192.0.2.1', 80), 2)", "Failed", "OSError")]
    [InlineData("import socket\nsocket.socket(socket.AF_UNIX).connect('/run/dbus/system_bus_socket')", "Failed", "FileNotFoundError")]
    [InlineData("raise SystemExit(0)", "Failed", "before its last line")]
    [InlineData("def f(:", "Failed", "SyntaxError")]
    [InlineData("assert 1 == 2, 'x\\ny\\x1b[31m'", "Failed", "")]
    [InlineData("input()", "Failed", "EOFError")]
    public void A_hostile_program_is_ended_and_reported_in_one_line(string program, string outcome, string message)
    {
        var result = Box().Run(program, Patient);
        Assert.Equal(outcome, result.Outcome.ToString());
        Assert.Contains(message, result.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', result.Message);
        Assert.DoesNotContain('\u001b', result.Message);
        Assert.InRange(result.Output.Length, 0, Patient.OutputBytes + 100);
    }

    [Fact]
    public void What_is_forbidden_is_refused_and_the_program_may_go_on()
    {
        const string program = """
            import os, socket, subprocess
            attempts = {
                "processes": lambda: subprocess.run(["/bin/sh", "-c", ":"]),
                "proc": lambda: os.listdir("/proc"),
                "system": lambda: open("/usr/evil", "w"),
                "root": lambda: open("/evil", "w"),
                "removal": lambda: os.remove("/usr/bin/env"),
                "rights": lambda: os.chroot("/tmp"),
                "bus": lambda: socket.socket(socket.AF_UNIX).connect("/run/dbus/system_bus_socket"),
                "address": lambda: socket.getaddrinfo("example.org", 80),
                "device": lambda: os.mknod("/tmp/disk", 0o660 | 0o060000, os.makedev(8, 0)),
            }
            for name, attempt in attempts.items():
                try:
                    attempt()
                    print(name)
                except OSError:
                    pass
            """;
        Assert.Equal((SandboxOutcome.Completed, ""), Box().Run(program, Patient) is var result ? (result.Outcome, result.Output) : default);
    }

    [Fact]
    public void A_program_that_waits_is_ended_too() =>
        Assert.Equal(
            (SandboxOutcome.TimeLimit, "time limit of 1 s"),
            Box().Run("import time\ntime.sleep(1000)", new() { WallSeconds = 1 }) is var result ? (result.Outcome, result.Message) : default
        );

    [Fact]
    public void Nothing_is_left_behind()
    {
        var marker = $"engram{Guid.NewGuid():N}";
        var box = Box();
        // A process that leaves its group and ignores signals, files, and a program that is killed meanwhile.
        var program =
            $"import os, signal, time\nopen('/tmp/{marker}', 'w').write('x')\nfor s in (1, 2, 15): signal.signal(s, signal.SIG_IGN)\n"
            + $"if os.fork() == 0:\n    os.setsid()\n    os.execv('/bin/sh', ['sh', '-c', 'sleep 1000 # {marker}'])\ntime.sleep(1000)";
        Assert.Equal(SandboxOutcome.TimeLimit, box.Run(program, new() { Processes = 8, WallSeconds = 2 }).Outcome);
        Assert.False(File.Exists($"/tmp/{marker}"));
        Assert.DoesNotContain(
            Directory.GetDirectories(Path.GetTempPath(), "engram-sandbox-*"),
            folder => Directory.EnumerateFileSystemEntries(folder).Any()
        );
        Assert.DoesNotContain(marker, string.Join('\n', Process.GetProcesses().Select(CommandLine)), StringComparison.Ordinal);
        Assert.DoesNotContain("engram-sandbox", File.ReadAllText("/proc/self/mounts"), StringComparison.Ordinal);
    }

    [Fact]
    public void Cancelling_ends_the_program()
    {
        var box = Box();
        using var cancellation = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        Assert.Throws<OperationCanceledException>(() => box.Run("import time\ntime.sleep(1000)", Patient, cancellation.Token));
    }

    [Fact]
    public void A_program_of_its_own_output_completes()
    {
        var result = Box().Run("open('a.txt', 'w').write('kept')\nprint(open('a.txt').read(), sum(range(10)))", Patient);
        Assert.Equal((SandboxOutcome.Completed, "completed", "kept 45\n"), (result.Outcome, result.Message, result.Output));
    }

    [Fact]
    public void What_cannot_isolate_refuses() =>
        Assert.Contains(
            "no-such-python",
            Assert.Throws<NotSupportedException>(() => Sandbox.Open("no-such-python")).Message,
            StringComparison.Ordinal
        );

    /// <summary>A few of the references whose full counts EXPECTED.md gives; a false assertion is the control.</summary>
    [Fact]
    public void References_pass_and_wrong_answers_fail()
    {
        var box = Box();
        var human = Rows("humaneval/HumanEval.jsonl.gz").Take(3).ToArray();
        foreach (var row in human)
            Assert.True(
                box.Run(
                    PythonPrograms.HumanEval(row.Text("prompt"), row.Text("canonical_solution"), row.Text("test"), row.Text("entry_point")),
                    Patient
                ).Passed,
                row.Place
            );
        Assert.False(
            box.Run(
                PythonPrograms.HumanEval(
                    human[0].Text("prompt"),
                    "    return False\n",
                    human[0].Text("test"),
                    human[0].Text("entry_point")
                ),
                Patient
            ).Passed
        );
        foreach (var row in Rows("mbpp/mbpp.jsonl").Skip(10).Take(2))
        {
            Assert.True(
                box.Run(PythonPrograms.Mbpp(row.Text("test_setup_code"), row.Text("code"), row.Texts("test_list")), Patient).Passed,
                row.Place
            );
            Assert.False(box.Run(PythonPrograms.Mbpp("", "def f(): pass", row.Texts("test_list")), Patient).Passed);
        }
        foreach (var row in Rows("cruxeval/cruxeval.jsonl").Take(2))
        {
            Assert.True(
                box.Run(PythonPrograms.CruxEvalOutput(row.Text("code"), row.Text("input"), row.Text("output")), Patient).Passed,
                row.Place
            );
            Assert.True(
                box.Run(PythonPrograms.CruxEvalInput(row.Text("code"), $"f({row.Text("input")})", row.Text("output")), Patient).Passed,
                row.Place
            );
            Assert.False(box.Run(PythonPrograms.CruxEvalOutput(row.Text("code"), row.Text("input"), "None"), Patient).Passed, row.Place);
        }
    }

    [Fact]
    public void Literals_are_compared_without_running_anything()
    {
        Assert.True(PythonPrograms.CruxEvalOutputStatic("[(4, 1)]", "[ (4, 1), ]"));
        Assert.False(PythonPrograms.CruxEvalOutputStatic("'a'", "'b'"));
        Assert.Null(PythonPrograms.CruxEvalOutputStatic("1", "f(2)"));
        Assert.All(
            Rows("cruxeval/cruxeval.jsonl"),
            row => Assert.NotEqual(false, PythonPrograms.CruxEvalOutputStatic(row.Text("output"), row.Text("output")))
        );
    }

    private static IEnumerable<DatasetRow> Rows(string file) => DatasetReader.Read(Benchmarks.Path(file), file);

    private static string CommandLine(Process process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process.Id}/cmdline");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return ""; // it ended meanwhile
        }
    }
}
