using System.CommandLine;
using System.Globalization;
using Engram.Cli.CommandLine;
using Engram.Evaluation.Layers;
using Engram.Storage;
using Engram.Studies.Pages;
using Engram.Torch;
using Spectre.Console;

namespace Engram.Cli.Commands;

/// <summary>What the layers of a model know already, and which layers of another model they resemble.</summary>
internal sealed class EvalLayersCommand : CliCommand
{
    private readonly Argument<string[]> _models = new("MODEL")
    {
        Description = "One or two model folders",
        Arity = new ArgumentArity(1, 2),
    };
    private readonly ModelInput _model = new();
    private readonly LayerTexts _texts = new();
    private readonly Option<string> _memory = ModelInput.Use();
    private readonly Option<bool> _marked = new("--samples-only")
    {
        Description = "Look with the lens at the samples alone, not at every token",
    };
    private readonly Option<int> _minibatch = new("--minibatch")
    {
        Description = "Samples of one minibatch of the similarity estimate",
        HelpName = "N",
        DefaultValueFactory = _ => LayerComparison.DefaultMinibatch,
    };
    private readonly Option<string?> _html = new("--html")
    {
        Description = "Also write a page with charts that any browser shows",
        HelpName = "FILE",
    };
    private readonly Option<bool> _json = CommonOptions.Json();

    public EvalLayersCommand()
        : base(
            "layers",
            "Show how near each layer is to the final prediction (logit lens), and, with a second model, which layers resemble each other "
                + "(linear CKA, soft alignment). Residual streams are merged as the model merges its last ones for the lens, by their "
                + "mean for the similarity.",
            "engram eval layers run/model --data data",
            "engram eval layers moe/model engram/model --few-nerd supervised/test.txt --html layers.html",
            "engram eval layers moe/model engram/model --world world --json"
        )
    {
        Add(_models);
        _texts.AddTo(this);
        Add(_memory);
        Add(_marked);
        Add(_minibatch);
        Add(_html);
        _model.AddSettingsTo(this);
        Add(_json);
        Validators.Add(given =>
        {
            if (
                int.TryParse(given.GetResult(_minibatch)?.Tokens.FirstOrDefault()?.Value, out var minibatch)
                && minibatch < CenteredKernelAlignment.LeastSamples
            )
                given.AddError($"--minibatch must be at least {CenteredKernelAlignment.LeastSamples}.");
        });
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var page = parsed.GetValue(_html);
        if (page is not null)
            AtomicFile.RequireWritable(page);
        var folders = parsed.GetRequiredValue(_models);
        using var texts = _texts;
        texts.Require(parsed, cancellation);
        using var first = _model.Open(parsed, folders[0]);
        using var second = folders.Length > 1 ? _model.Open(parsed, folders[1]) : null;
        var use = parsed.GetRequiredValue(_memory);
        // A control is one of a memory: of two models, one without has nothing to change.
        using var firstMemory = MemoryOf(first, second);
        using var secondMemory = second is null ? null : MemoryOf(second, first);

        var lenses = new List<LayersReport.Lens> { Lens(folders[0], new ReadModel(first, firstMemory.Bank)) };
        if (second is not null)
            lenses.Add(Lens(folders[1], new ReadModel(second, secondMemory!.Bank)));
        var similarity = second is null
            ? null
            : LayerComparison.Compare(
                new ReadModel(first, firstMemory.Bank),
                new ReadModel(second, secondMemory!.Bank),
                Noted("similarity", texts.Of(parsed, first, cancellation).Zip(texts.Of(parsed, second, cancellation))),
                parsed.GetValue(_minibatch),
                cancellation
            );

        if (parsed.GetValue(_json))
            WriteJson(texts.Name(parsed), use, lenses, similarity);
        else
            WriteTables(lenses, similarity);
        if (page is null)
            return;
        AtomicFile.WriteAllText(page, LayersReport.Page($"Inside the layers, over {texts.Name(parsed)}", lenses, similarity));
        Terminal.Note($"Page: {page}");

        MemoryInUse MemoryOf(LanguageModel one, LanguageModel? other) =>
            one.Memory is null && other?.Memory is not null
                ? ModelInput.Memory(null, "on")
                : ModelInput.Memory(parsed, _memory, one.Memory);

        LayersReport.Lens Lens(string folder, ReadModel read) =>
            new(
                folder,
                LogitLens.Measure(
                    read.Model,
                    read.Memory,
                    Noted($"lens of {folder}", texts.Of(parsed, read.Model, cancellation)),
                    parsed.GetValue(_marked),
                    cancellation
                )
            );
    }

    private static IEnumerable<T> Noted<T>(string what, IEnumerable<T> texts)
    {
        using var progress = new ProgressLine<int>(count => $"{what}: {count} {(count == 1 ? "text" : "texts")}");
        var count = 0;
        foreach (var text in texts)
        {
            yield return text;
            progress.Report(++count);
        }
    }

    private static void WriteJson(string source, string memory, IReadOnlyList<LayersReport.Lens> lenses, LayerSimilarity? similarity) =>
        Terminal.Json(
            new
            {
                Texts = source,
                Memory = memory,
                Models = lenses.Select(lens => new
                {
                    Model = lens.Name,
                    lens.Reading.Positions,
                    lens.Reading.Layers,
                    lens.Reading.MergedByMean,
                }),
                Similarity = similarity is null
                    ? null
                    : new
                    {
                        Rows = lenses[0].Name,
                        Columns = lenses[1].Name,
                        similarity.Samples,
                        Cka = Enumerable
                            .Range(0, similarity.Similarity.GetLength(0))
                            .Select(i =>
                                Enumerable
                                    .Range(0, similarity.Similarity.GetLength(1))
                                    .Select(j => Finite(similarity.Similarity[i, j]))
                                    .ToArray()
                            )
                            .ToArray(),
                        Aligned = similarity.Aligned.Select(Finite).ToArray(),
                    },
            }
        );

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;

    private static void WriteTables(IReadOnlyList<LayersReport.Lens> lenses, LayerSimilarity? similarity)
    {
        foreach (var lens in lenses)
        {
            var table = new Table().Title($"{Markup.Escape(lens.Name)}, {lens.Reading.Positions:N0} positions").AddColumn("layer");
            foreach (var name in (string[])["KL(final ‖ layer), nats", "KL(layer ‖ final), nats", "same likeliest token"])
                table.AddColumn(new TableColumn(name).RightAligned());
            if (lens.Reading.MergedByMean is not null)
                table.AddColumn(new TableColumn("KL(final ‖ layer), nats, streams merged by their mean").RightAligned());
            foreach (var (layer, i) in lens.Reading.Layers.Select((layer, i) => (layer, i)))
                table.AddRow([
                    $"{layer.Layer}",
                    Number(layer.FinalToLayer),
                    Number(layer.LayerToFinal),
                    layer.Top1Agreement.ToString("P1", CultureInfo.InvariantCulture),
                    .. lens.Reading.MergedByMean is { } mean ? new[] { Number(mean[i].FinalToLayer) } : [],
                ]);
            Terminal.Answer.Write(table);
        }

        if (similarity is null)
            return;
        var (first, second) = (Markup.Escape(lenses[0].Name), Markup.Escape(lenses[1].Name));
        var (rows, cka) = (Enumerable.Range(0, similarity.Similarity.GetLength(0)), similarity.Similarity);
        var alignment = new Table()
            .Title($"Which layers of {first} those of {second} resemble, {similarity.Samples:N0} samples")
            .AddColumn(new TableColumn($"layer of {second}"))
            .AddColumn(new TableColumn($"most like layer of {first}").RightAligned())
            .AddColumn(new TableColumn($"mean of the {SoftAlignment.Nearest} most alike").RightAligned())
            .AddColumn(new TableColumn($"CKA with layers 0 to {rows.Last()} of {first}").RightAligned());
        for (var j = 0; j < similarity.Aligned.Length; j++)
        {
            var column = j;
            alignment.AddRow(
                $"{j}",
                $"{rows.MaxBy(i => cka[i, column])}",
                Number(similarity.Aligned[j]),
                string.Join(' ', rows.Select(i => cka[i, column].ToString("F2", CultureInfo.InvariantCulture)))
            );
        }

        Terminal.Answer.Write(alignment);
    }

    private static string Number(double value) => value.ToString("F4", CultureInfo.InvariantCulture);
}
