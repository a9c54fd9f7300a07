using System.Collections.Concurrent;
using Engram.Studies.Planning;
using Engram.Studies.Processes;
using Engram.Studies.Results;
using Engram.Training;

namespace Engram.Studies.Running;

/// <summary>Trains models, each in a process of its own and each once, whatever asks for it.</summary>
/// <param name="folders">Where they lie.</param>
/// <param name="corpora">Their texts.</param>
/// <param name="command">How processes of this program are started.</param>
internal sealed class StudyTraining(StudyFolders folders, StudyCorpora corpora, EngramCommand command)
{
    private readonly ConcurrentDictionary<string, Lazy<Task>> _models = [];

    /// <summary>Trains a model, and first what it begins with, unless that was done or is being done for another one.</summary>
    /// <param name="run">The run.</param>
    /// <param name="threads">Of its process.</param>
    /// <param name="stop">Ends the process; what it had done is gone on with by the next call.</param>
    /// <exception cref="ChildProcessException">It failed.</exception>
    public async Task TrainedAsync(PlannedRun run, int threads, CancellationToken stop)
    {
        if (run.Start is { } start)
            await TrainedAsync(start, threads, stop);
        await _models.GetOrAdd(Inputs(run), inputs => new Lazy<Task>(() => TrainAsync(run, inputs, threads, stop))).Value;
    }

    private string Inputs(PlannedRun run) => RunInputs.Of(run, corpora.Identity(run.Corpus));

    private async Task TrainAsync(PlannedRun run, string inputs, int threads, CancellationToken stop)
    {
        var folder = folders.Run(inputs);
        WaitForOthers(folder, stop);
        if (TrainingResult.Read(folder) is not null)
            return;
        // Begun earlier, it goes on with what it began with: the hash says that the result is the same.
        var begun = File.Exists(Path.Combine(folder, "train.json"));
        if (!begun && run.Start is null)
            Trainer.Begin(run.Configuration, run.Options with { Threads = threads }, folder);
        Directory.CreateDirectory(folders.Logs);
        await ChildProcess.RunAsync(
            $"Training {run.Title}",
            command,
            [
                "train",
                .. begun || run.Start is null ? (string[])["--resume"] : From(run, run.Start),
                "--run",
                folder,
                "--data",
                corpora.Folder(run.Corpus),
                "--threads",
                $"{threads}",
            ],
            folders.Log(inputs),
            stop
        );
    }

    /// <summary>
    /// Waits until no process trains in a folder: that of a call which was killed ends at its next update, and one of another call, whose
    /// model is the same, trains it for this one as well.
    /// </summary>
    private static void WaitForOthers(string folder, CancellationToken stop)
    {
        var held = Path.Combine(folder, "run.lock");
        // Made here, the file would be no sign of a run.
        if (File.Exists(held))
            SharedFile.OpenAlone(held, stop).Dispose();
    }

    /// <summary>How the command is told to begin with another run's model, and with which context.</summary>
    private IEnumerable<string> From(PlannedRun run, PlannedRun start)
    {
        (string Option, object Value)[] options =
        [
            ("--init", Path.Combine(folders.Run(Inputs(start)), "model")),
            .. run.IsExtended
                ? ((string, object)[])[("--extend-context", run.Options.Length), ("--original-context", start.Options.Length)]
                : [],
            ("--length", run.Options.Length),
            ("--batch-size", run.Options.Sequences),
            ("--steps", run.Options.Steps),
            ("--learning-rate", run.Options.LearningRate),
            ("--seed", run.Options.Seed),
            ("--validation-sequences", run.Options.ValidationSequences),
            ("--checkpoint-every", run.Options.CheckpointEvery),
        ];
        return options.SelectMany(option => (string[])[option.Option, FormattableString.Invariant($"{option.Value}")]);
    }
}
