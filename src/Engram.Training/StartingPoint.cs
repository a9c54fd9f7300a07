using Engram.Models.Configuration;
using Engram.Models.Folders;
using Engram.Models.Memory;
using Engram.Torch;

namespace Engram.Training;

/// <summary>
/// Where a run goes on from: its newest checkpoint that can be read, its own finished model when it is lengthened, another model, or
/// starting values.
/// </summary>
/// <param name="Model">With the weights to begin with.</param>
/// <param name="Update">Makes its updates; the moments are those of the checkpoint, or zero.</param>
/// <param name="Step">Updates done.</param>
/// <param name="Clock">Time spent on them.</param>
/// <param name="FromModel">Whether the weights come from a model folder, so that no checkpoint of the run holds them yet.</param>
internal sealed record StartingPoint(LanguageModel Model, TrainingStep Update, long Step, TrainingClock Clock, bool FromModel)
{
    /// <summary>Finds it, and reads it.</summary>
    /// <param name="setup">What is trained.</param>
    /// <param name="folder">The run.</param>
    /// <param name="note">Told where the run starts if that is not what was to be expected.</param>
    /// <exception cref="InvalidDataException">A model is damaged or has another tokenizer, or every checkpoint is damaged.</exception>
    /// <exception cref="FileNotFoundException">A file of a model or of the only checkpoint is missing.</exception>
    public static StartingPoint Of(TrainingSetup setup, RunFolder folder, Action<string> note)
    {
        var begun = folder.Begun;
        if (begun && TrainingResult.Read(folder.Path) is { } finished)
        {
            note(
                $"The run of {finished.Steps} updates goes on to {setup.Options.Steps}: from its model, with the moments of the "
                    + "optimizers begun anew."
            );
            return OfModel(
                setup,
                folder,
                folder.Model,
                instead: null,
                identity: null,
                finished.Steps,
                new TrainingClock(finished.Seconds, finished.Tokens / finished.TokensPerSecond, finished.Tokens)
            );
        }
        if (begun && folder.CheckpointSteps() is [_, ..] steps)
            return OfCheckpoint(setup, folder, steps, note);
        if (setup.Resume)
            note(
                begun ? $"{folder.Path} holds no checkpoint yet: the run begins anew." : $"{folder.Path} holds no run yet: it begins now."
            );
        if (setup.Init is { } model)
            return OfModel(setup, folder, model, setup.Configuration, RunIdentity.Of(setup), step: 0, default);
        var tables = MappedTables(setup, folder);
        if (tables is not null)
            ModelTables.Delete(tables);
        return Complete(
            LanguageModel.Create(
                setup.Configuration,
                setup.Corpus.Tokenizer,
                setup.Options.Seed,
                setup.Device,
                tables,
                RunIdentity.Of(setup)
            ),
            setup,
            0,
            _ => default,
            fromModel: false
        );
    }

    /// <summary>The newest checkpoint, or the newest before it that is whole: those that are damaged are set aside.</summary>
    private static StartingPoint OfCheckpoint(TrainingSetup setup, RunFolder folder, IReadOnlyList<long> steps, Action<string> note)
    {
        for (var i = steps.Count - 1; ; i--)
            try
            {
                var start = OfCheckpoint(setup, folder, steps[i]);
                foreach (var damaged in steps.Skip(i + 1))
                    folder.SetAside(damaged);
                return start;
            }
            catch (Exception e) when (i > 0 && e is InvalidDataException or FileNotFoundException or DirectoryNotFoundException)
            {
                note(
                    $"The checkpoint of update {steps[i]} is damaged and set aside ({e.Message.TrimEnd('.')}): the run goes on from that "
                        + $"of update {steps[i - 1]}."
                );
            }
    }

    private static StartingPoint OfCheckpoint(TrainingSetup setup, RunFolder folder, long step)
    {
        var (path, tables) = (folder.Checkpoint(step), MappedTables(setup, folder));
        // An unfinished one would share its tables with those that are trained on.
        if (tables is not null && Directory.Exists(folder.Model))
            Directory.Delete(folder.Model, recursive: true);
        var model = LanguageModel.Load(path, setup.Device, new MemoryOptions { TrainingFolder = tables });
        return Complete(model, setup, step, update => Checkpoint.Load(path, step, model, update.Optimizer), fromModel: false);
    }

    private static StartingPoint OfModel(
        TrainingSetup setup,
        RunFolder folder,
        string path,
        ModelConfiguration? instead,
        string? identity,
        long step,
        TrainingClock clock
    )
    {
        var tables = MappedTables(setup, folder);
        if (tables is not null)
        {
            ModelTables.Delete(tables);
            ModelTables.CopyForTraining(
                path,
                Path.Combine(path, ModelFolder.WeightsFile),
                setup.Configuration.Engram!.LayerIds,
                tables,
                identity
            );
        }
        var options = new MemoryOptions { TrainingFolder = tables, NewIdentity = identity };
        var model = LanguageModelFolder.Load(path, setup.Device, options, instead);
        return Complete(model, setup, step, _ => clock, fromModel: true);
    }

    /// <summary>The folder of tables that are trained in place; null for tables in memory, and without any.</summary>
    private static string? MappedTables(TrainingSetup setup, RunFolder folder) =>
        setup.Configuration.Engram is not null && setup.Options.Tables == TableLocation.Mapped ? folder.Tables : null;

    private static StartingPoint Complete(
        LanguageModel model,
        TrainingSetup setup,
        long step,
        Func<TrainingStep, TrainingClock> load,
        bool fromModel
    )
    {
        TrainingStep? update = null;
        try
        {
            setup.Corpus.RequireTokenizer(model.Tokenizer);
            update = new TrainingStep(model, setup.Options);
            return new StartingPoint(model, update, step, load(update), fromModel);
        }
        catch
        {
            update?.Dispose();
            model.Dispose();
            throw;
        }
    }
}
