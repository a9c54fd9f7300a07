using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Engram.Cli.CommandLine;
using Engram.Corpora;
using Engram.Models.Configuration;
using Engram.Models.Recipes;
using Engram.Training;
using Spectre.Console;
using static Engram.Cli.CommandLine.Columns;

namespace Engram.Cli.Commands;

/// <summary>What a model costs, without building it.</summary>
internal sealed class PlanCommand : CliCommand
{
    private readonly Argument<string> _model = new("MODEL")
    {
        Description = $"A preset, a config.json or a model folder. Presets: {string.Join(", ", Presets.Names)}",
    };
    private readonly Option<string[]> _set = new("--set")
    {
        Description =
            "Give a key of the configuration another value, for example hidden_size=96 or engram_layer_ids=[1,3]; may stand several times",
        HelpName = "KEY=VALUE",
    };
    private readonly Option<string?> _data = new("--data")
    {
        Description = "Fit the vocabulary and its special tokens to prepared data, as engram train does with a preset",
        HelpName = "FOLDER",
    };
    private readonly Option<string?> _write = new("--write")
    {
        Description = "Write the configuration to a new file, for engram train --config",
        HelpName = "FILE",
    };
    private readonly Option<int?> _context = new("--context")
    {
        Description = "Earlier tokens that attention is charged for [default: the longest context]",
        HelpName = "TOKENS",
    };
    private readonly Option<bool> _json = CommonOptions.Json();

    public PlanCommand()
        : base(
            "plan",
            "Count the parameters, operations and bytes of a model from its configuration, without building it; of a preset also show the "
                + "recipe of its training.",
            "engram plan engram-27b",
            "engram plan config.json --context 4096 --json",
            "engram plan small-engram --data data --set num_hidden_layers=6 --write config.json"
        )
    {
        Add(_model);
        Add(_set);
        Add(_data);
        Add(_write);
        Add(_context);
        Add(_json);
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var (model, write) = (parsed.GetRequiredValue(_model), parsed.GetValue(_write));
        if (write is not null && File.Exists(write))
            throw new IOException($"{write} is there already; choose another name with --write, or remove it.");
        var recipe = Presets.Names.Contains(model) ? PresetRecipe.Of(model) : null;
        var configuration = ModelSource.Load(model, cancellation);
        if (parsed.GetValue(_data) is { } data)
        {
            using var corpus = PreparedCorpus.Open(data);
            configuration = VocabularyFit.Fit(configuration, corpus);
        }
        configuration = UsageException.Of(() => configuration.With(Changes(parsed.GetValue(_set) ?? [])));
        var plan = UsageException.Of(() => ModelPlan.Of(configuration, parsed.GetValue(_context)));
        if (write is not null)
        {
            configuration.Save(write);
            var prepared = Terminal.Word(parsed.GetValue(_data) ?? "data");
            Terminal.Note($"Wrote {write}. Next: engram train --config {Terminal.Word(write)} --data {prepared} --run run --steps 1000");
        }
        if (parsed.GetValue(_json))
        {
            var json = JsonNode.Parse(plan.ToJson())!.AsObject();
            json["recipe"] = recipe is null ? null : JsonNode.Parse(recipe.ToJson());
            Terminal.Json(json);
            return;
        }
        WriteTables(plan);
        if (recipe is not null)
            WriteRecipe(recipe, configuration);
    }

    /// <summary>KEY=VALUE as JSON; what is no JSON is a string.</summary>
    private static JsonObject Changes(string[] given)
    {
        var changes = new JsonObject();
        foreach (var change in given)
        {
            if (change.IndexOf('=') is not (> 0 and var end))
                throw new UsageException($"--set '{change}': write KEY=VALUE, for example --set hidden_size=96.");
            changes[change[..end]] = Value(change[(end + 1)..]);
        }
        return changes;

        static JsonNode? Value(string text)
        {
            try
            {
                return JsonNode.Parse(text);
            }
            catch (JsonException)
            {
                return text; // a name, as signed_sqrt
            }
        }
    }

    private static void WriteTables(ModelPlan plan)
    {
        var sizes = new Table().HideHeaders().AddColumns(new TableColumn(""), Number(""), new TableColumn(""));
        Row("parameters", plan.TotalParameters, "with one vocabulary matrix: the printed size");
        Row("  without vocabulary", plan.TotalWithoutVocabulary, "");
        Row("  as stored", plan.StoredParameters, "");
        Row("active parameters", plan.ActiveParameters, "that one token touches, without vocabulary");
        Row("sparse parameters", plan.SparseParameters, "total less active");
        if (plan.AllocationRatio is { } ratio)
            sizes.AddRow(
                "allocation ratio",
                ratio.ToString("F4", CultureInfo.InvariantCulture),
                "share of the sparse budget that the routed experts hold"
            );
        Row("operations per token", plan.FlopsPerToken, $"forward, {plan.ContextLength:N0} tokens of context");
        Row("  in training", plan.TrainingFlopsPerToken, "forward and backward");
        Row("key-value cache", plan.KvCacheBytesPerToken, "bytes per token, bfloat16");
        if (plan.TableRows.Count > 0)
        {
            Row(
                "memory parameters",
                plan.MemoryParameters,
                $"tables of {string.Join(" and ", plan.TableRows.Select(rows => $"{rows:N0}"))} rows"
            );
            Row("  read per token", plan.MemoryValuesPerToken, "table values");
        }
        Terminal.Answer.Write(sizes);

        var parts = NumbersBehind("part", "parameters", "active");
        foreach (var part in plan.Components)
            parts.AddRow(part.Name, $"{part.Parameters:N0}", $"{part.ActiveParameters:N0}");
        Terminal.Answer.Write(parts);

        if (plan.RowFormats.Count == 0)
            return;
        var formats = NumbersBehind("table format", "bytes per row", "bytes of all tables", "bytes read per token");
        foreach (var format in plan.RowFormats)
            formats.AddRow(format.Format, $"{format.RowBytes:N0}", $"{format.TableBytes:N0}", $"{format.BytesPerToken:N0}");
        Terminal.Answer.Write(formats);

        void Row(string name, long value, string remark) => sizes.AddRow(name, $"{value:N0}", remark);
    }

    private static void WriteRecipe(PresetRecipe preset, ModelConfiguration model)
    {
        var recipe = preset.Recipe;
        var (muon, adam) = (new TrainingOptions(recipe).DenseOptimizer.Muon, new TrainingOptions(recipe).DenseOptimizer.AdamW);
        var rows = new Table().AddColumns("recipe", "");
        Row("updates", $"{recipe.Steps:N0} of {recipe.TokensPerStep:N0} tokens, {recipe.Steps * recipe.TokensPerStep:N0} in all");
        Row(
            "batch",
            $"{recipe.Sequences * recipe.AccumulationSteps:N0} sequences of {recipe.Length:N0} tokens, as {recipe.AccumulationSteps:N0} × "
                + $"{recipe.Sequences:N0}"
        );
        Row(
            "learning rate",
            $"{recipe.LearningRate}, {recipe.WarmUp:N0} updates of warm-up, then constant; "
                + (
                    recipe.Decay == LearningRateDecay.Steps
                        ? "× 0.316 after 80 % of the updates, × 0.1 after 90 %"
                        : "linear to 5 % over the second half"
                )
        );
        Row(
            "matrices",
            $"{recipe.MatrixOptimizer}, weight decay {recipe.WeightDecay}; vocabulary AdamW with the same, vectors AdamW without"
        );
        if (recipe.MatrixOptimizer == MatrixOptimizer.Muon)
            Row(
                "  Muon",
                $"momentum {muon.Momentum}{(muon.Nesterov ? " with Nesterov" : "")}, "
                    + $"{muon.NewtonSchulz.First.Count + muon.NewtonSchulz.Second.Count} rounds of Newton–Schulz, update {muon.RmsFactor} "
                    + "· √max(rows, columns)"
            );
        Row("  AdamW", $"β {adam.Beta1} and {adam.Beta2}, ε {adam.Epsilon}");
        if (model.Engram is { } memory)
            Row(
                "tables",
                $"{recipe.TableOptimizer} at {recipe.TableLearningRateMultiplier} times the rate, without weight decay; moments as "
                    + $"{recipe.TableMoments.ToString().ToLowerInvariant()}; "
                    + $"start {(memory.TableInitStd > 0 ? $"N(0, {memory.TableInitStd}²)" : "zero")}"
            );
        Row("clipping", $"gradient norm at most {recipe.ClipNorm}");
        Row("start of the matrices", $"N(0, {model.InitializerRange}²)");
        Row("source", preset.Source);
        Terminal.Answer.Write(rows);

        void Row(string name, string value) => rows.AddRow(name, Markup.Escape(value));
    }
}
