using System.Diagnostics;
using System.Text;

namespace Engram.Evaluation.Code;

/// <summary>What a program writes, up to a limit; beyond it the program is ended.</summary>
internal sealed class SandboxCapture
{
    /// <summary>What the set-up writes to the error stream when the program may begin.</summary>
    public const string Ready = "engram-sandbox-ready";

    private const int LongestMessage = 300;

    private readonly Task<string> _output;
    private readonly Task<string> _errors;
    private readonly int _limit;
    private readonly Action _stop;
    private int _written;

    /// <summary>Begins to read both streams of a process.</summary>
    public SandboxCapture(Process process, int limit, Action stop)
    {
        (_limit, _stop) = (limit, stop);
        _output = Task.Run(() => Read(process.StandardOutput.BaseStream));
        _errors = Task.Run(() => Read(process.StandardError.BaseStream));
    }

    /// <summary>Whether the limit was reached.</summary>
    public bool Exceeded => Volatile.Read(ref _written) > _limit + Ready.Length + 1;

    /// <summary>The output stream.</summary>
    public string Output => _output.Result;

    /// <summary>The error stream.</summary>
    public string Errors => _errors.Result;

    /// <summary>Waits until both streams are at their ends.</summary>
    public void Wait() => Task.WaitAll(_output, _errors);

    /// <summary>The last line that is not empty, shortened and without control characters.</summary>
    public static string LastLine(string text)
    {
        var line =
            text.Split('\n').Select(candidate => candidate.Trim()).LastOrDefault(candidate => candidate.Length > 0 && candidate != Ready)
            ?? "";
        var shown = new StringBuilder();
        foreach (var letter in line.Take(LongestMessage))
            shown.Append(char.IsControl(letter) ? ' ' : letter);
        return shown.ToString();
    }

    private string Read(Stream stream)
    {
        using var held = new MemoryStream();
        var buffer = new byte[4096];
        for (int read; (read = stream.Read(buffer)) > 0; )
        {
            if (Interlocked.Add(ref _written, read) <= _limit + Ready.Length + 1)
                held.Write(buffer, 0, read);
            else
                _stop();
        }
        return Encoding.UTF8.GetString(held.GetBuffer(), 0, (int)held.Length);
    }
}
