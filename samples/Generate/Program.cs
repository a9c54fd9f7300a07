using System.Diagnostics;
using System.Globalization;
using Engram.Inference;
using Engram.Models.Memory;
using Engram.Models.Sampling;

// Continues a text with a trained model, without libtorch:
//   Generate MODEL PROMPT [TOKENS]
if (args.Length is not (2 or 3) || args.Length == 3 && !int.TryParse(args[2], CultureInfo.InvariantCulture, out _))
{
    Console.Error.WriteLine("usage: Generate MODEL PROMPT [TOKENS]");
    return 2;
}

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
using var stopped = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) =>
{
    pressed.Cancel = true;
    stopped.Cancel();
};
try
{
    // docs: begin generate
    using var model = EngramModel.Open(args[0], new MemoryOptions { Tables = TableLocation.Mapped });
    var options = new SamplingOptions
    {
        Temperature = 0.8,
        TopP = 0.95,
        MaxNewTokens = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 64,
    };
    var generator = new TextGenerator(model);
    foreach (var text in generator.Stream(args[1], options, model.Memory, cancellation: stopped.Token))
        Console.Write(text);
    // docs: end generate
    Console.WriteLine();

    using var process = Process.GetCurrentProcess();
    var first = (DateTime.Now - process.StartTime - generator.GenerationTime).TotalMilliseconds;
    var speed = Math.Max(0, generator.GeneratedTokens - 1) / Math.Max(1e-9, generator.GenerationTime.TotalSeconds);
    Console.Error.WriteLine(
        $"{generator.GeneratedTokens} tokens ({generator.Finish}), {speed:F0} tokens/s; {first:F0} ms from the start to the first; "
            + $"{process.PeakWorkingSet64 / 1e6:F0} MB at most"
    );
    return 0;
}
catch (Exception error) when (error is IOException or InvalidDataException or ArgumentException or UnauthorizedAccessException)
{
    Console.Error.WriteLine($"Generate: {error.Message}");
    return 1;
}
