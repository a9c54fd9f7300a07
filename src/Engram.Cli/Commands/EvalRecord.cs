using System.Reflection;
using Engram.Evaluation.Harness;

namespace Engram.Cli.Commands;

/// <summary>
/// What a result of <c>engram eval</c> follows from: the object <c>run</c> of its JSON. No date or time of day is part of it, so that the
/// same run has the same record; only <c>speed</c> differs.
/// </summary>
internal sealed record EvalRecord
{
    /// <summary>Of the program.</summary>
    public string Version { get; } =
        typeof(EvalRecord).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    public required IReadOnlyList<string> Tasks { get; init; }

    public required string DataRoot { get; init; }

    /// <summary>Null for all items.</summary>
    public required int? Limit { get; init; }

    /// <summary>As it was asked for; null for what each task says.</summary>
    public required int? Shots { get; init; }

    /// <summary>Null for the model's context.</summary>
    public required int? MaxLength { get; init; }

    public required bool RunCode { get; init; }

    public required int BatchSize { get; init; }

    public required string Device { get; init; }

    public required int Threads { get; init; }

    public required EvalSeeds Seeds { get; init; }

    public required IReadOnlyList<EvalModelRecord> Models { get; init; }
}

/// <summary>What random numbers follow from.</summary>
/// <param name="Memory">Of controls of the memory: rows exchanged, random rows, keys exchanged.</param>
/// <param name="Bootstrap">Of standard errors and comparisons.</param>
internal sealed record EvalSeeds(int Memory, int Bootstrap = EvaluationOptions.BootstrapSeed);

/// <summary>A model by its content.</summary>
/// <param name="Model">Its folder, as results call it.</param>
/// <param name="Engine">managed or torch.</param>
/// <param name="Identity">Of hashes of all its files, by which samples are taken up (<see cref="EvalModels.Identity"/>).</param>
/// <param name="Tokenizer">Fingerprint of the tokenizer.</param>
internal sealed record EvalModelRecord(string Model, string Engine, string Identity, string Tokenizer);
