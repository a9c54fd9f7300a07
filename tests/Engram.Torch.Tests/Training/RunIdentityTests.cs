using Engram.Inference;
using Engram.Models.Folders;
using Engram.Models.Memory;
using Engram.Storage;
using Engram.Tables;
using Engram.Tables.Formats;
using Engram.Tests.Storage;
using Engram.Training;

namespace Engram.Torch.Tests.Training;

/// <summary>Weights and tables of one training know each other; tables of another are refused, however well they fit.</summary>
public sealed class RunIdentityTests(RunIdentityTests.TwoRuns runs) : IClassFixture<RunIdentityTests.TwoRuns>, IDisposable
{
    private static readonly TrainingOptions Short = TinyRun.Options with { Steps = 1, ValidationSequences = 1, CheckpointEvery = 0 };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Two runs that differ in their seed.</summary>
    public sealed class TwoRuns : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public TwoRuns() =>
            (One, Other) = (Train(_folder.File("one"), Short), Train(_folder.File("other"), Short with { Seed = Short.Seed + 1 }));

        public string One { get; }

        public string Other { get; }

        public void Dispose() => _folder.Dispose();
    }

    [Fact]
    public void All_files_of_a_training_have_one_identity_of_16_digits()
    {
        var identity = Assert.Single(Identities(runs.One).Distinct());
        Assert.Matches("^[0-9a-f]{16}$", identity);
        Assert.NotEqual(identity, Identities(runs.Other)[0]);
    }

    /// <summary>What makes no other model of it makes no other identity; what does, does.</summary>
    [Fact]
    public void It_follows_from_what_decides_a_model()
    {
        var setup = TinyRun.Setup(_folder.File("run"), Short);
        var identity = RunIdentity.Of(setup);
        Assert.Equal(Identities(runs.One)[0], identity);
        foreach (
            var same in (TrainingOptions[])
                [
                    Short with
                    {
                        Threads = 7,
                    },
                    Short with
                    {
                        Tables = TableLocation.Mapped,
                    },
                    Short with
                    {
                        CheckpointEvery = 1,
                        KeepCheckpoints = 5,
                        ValidateEvery = 1,
                        ValidationSequences = 3,
                    },
                ]
        )
            Assert.Equal(identity, RunIdentity.Of(setup with { Options = same }));
        string[] others =
        [
            RunIdentity.Of(setup with { Options = Short with { Seed = 2 } }),
            RunIdentity.Of(setup with { Options = Short with { LearningRate = 1e-3 } }),
            RunIdentity.Of(setup with { Options = Short with { Frozen = ["*.engram.*"] } }),
            RunIdentity.Of(setup with { Configuration = TinyRun.Configuration with { RmsNormEps = 1e-5 } }),
            RunIdentity.Of(setup with { Init = runs.One }),
            RunIdentity.Of(setup with { Init = runs.Other }),
            identity,
        ];
        Assert.Equal(others.Length, others.Distinct().Count());
    }

    [Theory]
    [InlineData(TableLocation.Memory)]
    [InlineData(TableLocation.Mapped)]
    public void Tables_of_another_training_are_refused_by_both_engines(TableLocation location)
    {
        var mixed = Copy(runs.One, "mixed");
        var (weights, table) = (Path.Combine(mixed, ModelFolder.WeightsFile), Path.Combine(mixed, TablePaths.Table(2)));
        File.Copy(Path.Combine(runs.Other, TablePaths.Table(2)), table, overwrite: true);
        foreach (var message in (string[])[Refusal(mixed, location, Managed), Refusal(mixed, location, Torch)])
            Assert.All([weights, table, Identities(runs.One)[0]!, Identities(runs.Other)[0]!], named => Assert.Contains(named, message));
        // One that has lost its identity is not known to belong there either.
        Strip(table);
        Assert.Contains("its identity is none", Refusal(mixed, location, Managed));
    }

    [Fact]
    public void A_model_from_before_there_were_identities_opens_and_may_be_begun_with()
    {
        var old = Copy(runs.One, "old");
        foreach (var file in Directory.GetFiles(old, "*.safetensors", SearchOption.AllDirectories))
            Strip(file);
        Assert.All(Identities(old), identity => Assert.Null(identity));
        Managed(old, TableLocation.Memory);
        Torch(old, TableLocation.Mapped);
        var next = Train(_folder.File("next"), Short, init: old);
        Assert.NotNull(Assert.Single(Identities(next).Distinct()));
    }

    [Theory]
    [InlineData(TableLocation.Memory)]
    [InlineData(TableLocation.Mapped)]
    public void A_run_that_begins_with_a_model_has_an_identity_of_its_own_and_keeps_it(TableLocation location)
    {
        var options = Short with { Steps = 2, Tables = location };
        var setup = TinyRun.Setup(_folder.File("next"), options) with { Init = runs.One };
        Assert.Null(TinyRun.Train(setup, stop: 1));
        var model = TinyRun.Train(setup with { Init = null, Resume = true })!.ModelFolder;
        var identity = Assert.Single(Identities(model).Distinct());
        Assert.Equal(RunIdentity.Of(setup), identity);
        Assert.NotEqual(Identities(runs.One)[0], identity);
        // Lengthened, it is the same run.
        var longer = TinyRun.Train(setup with { Init = null, Resume = true, Options = options with { Steps = 3 } })!.ModelFolder;
        Assert.Equal(identity, Assert.Single(Identities(longer).Distinct()));
        Managed(longer, location);
    }

    [Fact]
    public void Tables_of_another_training_are_no_beginning()
    {
        var mixed = Copy(runs.One, "mixed");
        File.Copy(Path.Combine(runs.Other, TablePaths.Table(1)), Path.Combine(mixed, TablePaths.Table(1)), overwrite: true);
        foreach (var location in (TableLocation[])[TableLocation.Memory, TableLocation.Mapped])
            Assert.Contains(
                "is of another training than",
                Assert
                    .Throws<InvalidDataException>(() => Train(_folder.File($"run-{location}"), Short with { Tables = location }, mixed))
                    .Message
            );
    }

    [Fact]
    public void Converted_weights_and_tables_keep_it()
    {
        var (weights, tables) = (_folder.File("int8"), _folder.File("tables"));
        WeightConversion.Convert(runs.One, "int8", weights);
        using (var table = EngramTable.Load(Path.Combine(weights, TablePaths.Table(1)), TablePaths.Tensor(1)))
            table.Save(Path.Combine(weights, TablePaths.Table(1)), TablePaths.Tensor(1));
        Assert.Equal(Identities(runs.One), Identities(weights));
        Managed(weights, TableLocation.Memory);
        using (var source = Engram.PublishedCheckpoints.TableSource.Open(runs.One))
            Engram.PublishedCheckpoints.TableConversion.Convert(source, RowFormat.BFloat16, tables);
        Assert.Equal(Identities(runs.One), Identities(tables));
    }

    private static string Train(string folder, TrainingOptions options, string? init = null) =>
        TinyRun.Train(TinyRun.Setup(folder, options) with { Init = init })!.ModelFolder;

    private static string Refusal(string folder, TableLocation location, Action<string, TableLocation> open) =>
        Assert.Throws<InvalidDataException>(() => open(folder, location)).Message;

    private static void Managed(string folder, TableLocation location)
    {
        using var model = EngramModel.Open(folder, new MemoryOptions { Tables = location }, threads: 1);
    }

    private static void Torch(string folder, TableLocation location)
    {
        using var model = LanguageModel.Load(folder, memory: new MemoryOptions { Tables = location });
    }

    /// <summary>Of weights and tables of a model folder, in the order of their names.</summary>
    private static string?[] Identities(string folder) =>
        [
            .. Directory
                .GetFiles(folder, "*.safetensors", SearchOption.AllDirectories)
                .Order(StringComparer.Ordinal)
                .Select(ModelIdentity.Read),
        ];

    /// <summary>Writes a file again without its identity.</summary>
    private static void Strip(string path)
    {
        var writer = new SafetensorsWriter { KeepOrder = true, DataAlignment = 4096 };
        using (var file = SafetensorsFile.Open(path))
        {
            foreach (var tensor in file.Tensors.Values)
            {
                var bytes = file.Bytes(tensor.Name).ToArray();
                writer.Add(tensor.Name, tensor.DType, stream => stream.Write(bytes), tensor.Shape);
            }
        }

        writer.Write(path);
    }

    private string Copy(string model, string name)
    {
        var copy = _folder.File(name);
        foreach (var file in Directory.GetFiles(model, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(copy, Path.GetRelativePath(model, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        return copy;
    }
}
