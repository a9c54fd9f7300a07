using System.Globalization;
using Engram.Evaluation.Harness;
using Engram.Evaluation.Scoring;
using Engram.Inference;
using Engram.Models.Memory;

// Scores a trained model on a task with its memory, and once more with the rows of the memory shuffled, without libtorch:
//   Evaluate MODEL TASK FOLDER      TASK is a task file (.json) or a name of engram eval --list, FOLDER holds its data
if (args.Length != 3)
{
    Console.Error.WriteLine("usage: Evaluate MODEL TASK FOLDER");
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
    // docs: begin evaluate
    using var model = new ManagedModel(EngramModel.Open(args[0])); // disposes of the model that it is given
    TaskFile[] tasks = [TaskFiles.Load(args[1])];
    var options = new EvaluationOptions { DataRoot = args[2], Model = args[0] };
    var own = TaskRunner.Run(model, model.Memory, tasks, options with { Memory = "on" }, cancellation: stopped.Token);
    Print(own);

    // A control: the tables keep their statistics, and an n-gram reads the row of another.
    using var shuffled = model.Memory?.Ablation(MemoryUse.ShuffledRows);
    if (shuffled is not null)
    {
        var control = TaskRunner.Run(model, shuffled, tasks, options with { Memory = "shuffled" }, cancellation: stopped.Token);
        Print(control);
        foreach (var difference in TaskComparison.Of(tasks, "on", own, "shuffled", control))
            Console.WriteLine(
                $"{difference.Task}, {difference.Metric}: on − shuffled {difference.Difference:+0.0000;−0.0000} ± {difference.StandardError:0.0000}"
            );
    }
    // docs: end evaluate
    return 0;
}
catch (OperationCanceledException)
{
    return 130;
}
catch (Exception error) when (error is IOException or InvalidDataException or ArgumentException or UnauthorizedAccessException)
{
    Console.Error.WriteLine($"Evaluate: {error.Message}");
    return 1;
}

static void Print(EvaluationResult scored)
{
    foreach (var score in scored.Results)
        Console.WriteLine(
            $"{score.Task}, {score.Metric}, memory {score.Memory}: {score.Value:0.0000} ± {score.StandardError:0.0000} over {score.Items:N0} items"
        );
}
