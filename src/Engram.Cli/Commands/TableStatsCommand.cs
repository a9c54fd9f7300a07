using System.Collections.Immutable;
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Engram.Addressing.Statistics;
using Engram.Cli.CommandLine;
using Engram.Storage;
using Engram.Studies.Pages;
using Engram.Tables.Cache;
using Engram.Tables.Formats;

namespace Engram.Cli.Commands;

/// <summary>What the n-grams of a corpus do to the rows of a memory.</summary>
internal sealed class TableStatsCommand : CliCommand
{
    private readonly Option<string> _model = new("--model")
    {
        Description = "A model folder, a preset or a config.json: whose memory",
        HelpName = "MODEL",
        Required = true,
    };
    private readonly Option<string> _corpus = new("--corpus")
    {
        Description =
            "Prepared data, a text file, a .jsonl file, a folder of texts, or dotnet-docs for the documentation in the installed .NET SDK",
        HelpName = "CORPUS",
        Required = true,
    };
    private readonly Option<string?> _tokenizer = new("--tokenizer")
    {
        Description = "A tokenizer.json, or a folder that holds one [default: that of the model folder or the prepared data]",
        HelpName = "PATH",
    };
    private readonly Option<string?> _layers = new("--layers")
    {
        Description = "Memory layers to look at, divided by commas, counted from 0 [default: all]",
        HelpName = "LIST",
    };
    private readonly Option<long[]> _cacheRows = new("--cache-rows")
    {
        Description = "Predict the hit rate of a cache of so many rows; may be repeated [default: 0.1, 1 and 10 % of the table]",
        HelpName = "N",
    };
    private readonly Option<long[]> _cacheBytes = ByteSize.Options(
        "--cache-bytes",
        "The same for a cache of so much memory: float32 rows and what it needs to find them"
    );
    private readonly Option<long?> _memory = ByteSize.Option(
        "--counting-memory",
        "Memory for counting; what does not fit goes to temporary files, the result is the same [default: "
            + $"{ByteSize.Show(AddressingCensus.DefaultMemory)}]"
    );
    private readonly Option<string?> _html = new("--html")
    {
        Description = "Also write a page with plots that any browser shows",
        HelpName = "FILE",
    };
    private readonly Option<string> _field = CorpusInput.Field();
    private readonly Option<bool> _json = CommonOptions.Json();

    public TableStatsCommand()
        : base(
            "stats",
            "Count what the n-grams of a corpus do to the rows of a memory, exactly: rows touched, collisions per order and head beside "
                + "those of a random hash, traffic by rank, predicted hit rates of a row cache. Needs addresses only, no table.",
            "engram table stats --model run/model --corpus data",
            "engram table stats --model engram-27b --tokenizer deepseek-v3/tokenizer.json --corpus dotnet-docs --layers 1 --cache-rows "
                + "100000 --html stats.html"
        )
    {
        Add(_model);
        Add(_corpus);
        Add(_tokenizer);
        Add(_layers);
        Add(_cacheRows);
        Add(_cacheBytes);
        Add(_memory);
        Add(_html);
        Add(_field);
        Add(_json);
    }

    protected override void Run(ParseResult parsed, CancellationToken cancellation)
    {
        var page = parsed.GetValue(_html);
        if (page is not null)
            AtomicFile.RequireWritable(page);
        var (model, corpus) = (parsed.GetRequiredValue(_model), parsed.GetRequiredValue(_corpus));
        using var input = new TableStatsInput(model, corpus, parsed.GetValue(_tokenizer), parsed.GetRequiredValue(_field), cancellation);
        var layers = LayerPositions(parsed.GetValue(_layers), input.Constants.Spec.Layers);
        var width = input.Engram.HeadDim;
        var sizes = CacheSizes(parsed.GetValue(_cacheRows) ?? [], parsed.GetValue(_cacheBytes) ?? [], width);
        using var census = UsageException.Of(() =>
            new AddressingCensus(input.Constants, parsed.GetValue(_memory) ?? AddressingCensus.DefaultMemory)
        );
        using var simulated = new TableStatsCaches(input.Constants, layers, sizes);
        var statistics = Count(census, simulated, input, layers, cancellation);
        var caches = statistics.Layers.Select((layer, i) => simulated.Of(i, layer.Traffic, width)).ToList();

        if (parsed.GetValue(_json))
            Terminal.Json(TableStatsReport.Describe(model, corpus, statistics, caches));
        else
            TableStatsReport.Write(statistics, caches);
        if (page is not null)
        {
            AtomicFile.WriteAllText(page, AddressingReport.Page($"Rows of {model} read by {corpus}", statistics));
            Terminal.Note($"Page: {page}");
        }
    }

    private static AddressingStatistics Count(
        AddressingCensus census,
        TableStatsCaches caches,
        TableStatsInput input,
        IReadOnlyList<int> layers,
        CancellationToken cancellation
    )
    {
        var begun = Stopwatch.GetTimestamp();
        using (
            var line = new ProgressLine<long>(tokens =>
                $"counting n-grams: {tokens:N0} "
                + $"tokens{(input.Tokens is { } all ? $" of {all:N0}{TimeLeft(begun, (double)tokens / all)}" : "")}"
            )
        )
        {
            var tokens = 0L;
            foreach (var (ids, starts) in input.Read(cancellation))
            {
                census.Add(ids, starts.Span);
                caches.Add(ids, starts.Span);
                line.Report(tokens += ids.Length);
            }
        }
        var rowsBegun = Stopwatch.GetTimestamp();
        using var rows = new ProgressLine<double>(share => $"counting rows: {share:P0}{TimeLeft(rowsBegun, share)}");
        return census.Complete(layers, rows, cancellation);
    }

    private static string TimeLeft(long begun, double share)
    {
        if (share < 0.01)
            return "";
        var left = Stopwatch.GetElapsedTime(begun) * (1 / share - 1);
        return $", {left.TotalSeconds:N0} s left";
    }

    private static int[] LayerPositions(string? list, ImmutableArray<int> layers)
    {
        if (list is null)
            return [.. Enumerable.Range(0, layers.Length)];
        return
        [
            .. list.Split(',', StringSplitOptions.TrimEntries)
                .Select(word =>
                    int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var layer)
                    && layers.IndexOf(layer) is var position and >= 0
                        ? position
                        : throw new UsageException(
                            $"'{word}' in --layers {list} is no memory layer of this model; it has {string.Join(" and ", layers)}."
                        )
                ),
        ];
    }

    /// <summary>Rows of the caches to predict; empty for shares of each table.</summary>
    private static IReadOnlyList<long> CacheSizes(long[] rows, long[] bytes, int width)
    {
        foreach (var size in rows)
            if (size < 1)
                throw new UsageException($"--cache-rows {size}: a cache holds at least one row.");
        return [.. rows.Concat(bytes.Select(RowsWithin)).Distinct().Order()];

        long RowsWithin(long size) =>
            CachedRowStore.RowsWithin(size, RowFormat.Float32, width) is var fit and > 0
                ? fit
                : throw new UsageException(
                    $"--cache-bytes {size}: not one float32 row of {width} values and what the cache needs to find it fit."
                );
    }
}
