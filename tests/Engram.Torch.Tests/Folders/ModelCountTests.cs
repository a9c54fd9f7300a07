using Engram.Models.Configuration;
using Engram.Models.Memory;
using Engram.Torch.Tests.Training;

namespace Engram.Torch.Tests.Folders;

public sealed class ModelCountTests
{
    public static TheoryData<string> SmallPresets =>
        [.. Presets.Names.Where(name => name.StartsWith("tiny") || name.StartsWith("quickstart") || name.StartsWith("small"))];

    [Theory, MemberData(nameof(SmallPresets))]
    public void Built_model_holds_what_its_plan_says(string preset)
    {
        var configuration = Presets.Load(preset);
        var plan = ModelPlan.Of(configuration);
        using var transformer = new EngramTransformer(configuration);
        Assert.Equal(plan.StoredParameters - plan.MemoryParameters, transformer.Parameters.Count);
        if (configuration.Engram is not { } engram)
        {
            Assert.Equal(0, plan.MemoryParameters);
            return;
        }

        using var memory = MemoryBank.Create(configuration, TinyCorpus.Shared.Tokenizer, seed: 1);
        var tables = Enumerable.Range(0, engram.LayerIds.Count).Select(memory.Tables.Table).ToList();
        Assert.Equal(plan.TableRows, tables.Select(table => table.Rows));
        Assert.Equal(plan.MemoryParameters, tables.Sum(table => table.Rows * table.Width));
    }
}
