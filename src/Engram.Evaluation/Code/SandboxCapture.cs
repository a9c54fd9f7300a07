using System.Diagnostics;
using System.Text;

namespace Engram.Evaluation.Code;

/// <summary>What a program writes, up to a limit; beyond it the program is ended.</summary>
internal sealed class SandboxCapture
{
    /// <summary>What the set-up writes to the error stream when the program may begin.</summary>
    public const string Ready = "engram-sandbox-ready";

    /// <summary>What the driver writes to the error stream when the program has come to its end.</summary>
    private const string Ended = "engram-sandbox-end";

    private const int LongestMessage = 300;

    // What is written beside the program's own output.
    private const int Marks = 128;

    private readonly Task<string> _output;
    private readonly Task<string> _errors;
    private readonly int _limit;
    private readonly Action _ended;
    private readonly Action _stop;
    private int _written;

    /// <summary>Begins to read both streams of a process.</summary>
    /// <param name="process">Just started.</param>
    /// <param name="limit">Bytes of both streams together.</param>
    /// <param name="ended">Called once, when the program has come to its end.</param>
    /// <param name="stop">Called where it writes more than the limit.</param>
    public SandboxCapture(Process process, int limit, Action ended, Action stop)
    {
        (_limit, _ended, _stop) = (limit, ended, stop);
        _output = Task.Run(() => Read(process.StandardOutput.BaseStream, null));
        _errors = Task.Run(() => Read(process.StandardError.BaseStream, Encoding.UTF8.GetBytes($"\n{Ended}\n")));
    }

    /// <summary>Whether the limit was reached.</summary>
    public bool Exceeded => Volatile.Read(ref _written) > _limit + Marks;

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
            text.Split('\n')
                .Select(candidate => candidate.Trim())
                .LastOrDefault(candidate => candidate.Length > 0 && candidate is not (Ready or Ended))
            ?? "";
        var shown = new StringBuilder();
        foreach (var letter in line.Take(LongestMessage))
            shown.Append(char.IsControl(letter) ? ' ' : letter);
        return shown.ToString();
    }

    private string Read(Stream stream, byte[]? mark)
    {
        using var held = new MemoryStream();
        var buffer = new byte[4096];
        for (int read; (read = stream.Read(buffer)) > 0; )
        {
            if (Interlocked.Add(ref _written, read) <= _limit + Marks)
                held.Write(buffer, 0, read);
            else
                _stop();
            if (mark is null || held.GetBuffer().AsSpan(0, (int)held.Length).IndexOf(mark) < 0)
                continue;
            mark = null;
            _ended();
        }
        return Encoding.UTF8.GetString(held.GetBuffer(), 0, (int)held.Length);
    }
}
