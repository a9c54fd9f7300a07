using Engram.Evaluation.Layers;
using Engram.Tests.Storage;
using Engram.Torch.Tests.Architecture;
using Engram.Torch.Tests.Memory;
using Engram.Torch.Tests.Training;

namespace Engram.Torch.Tests.Evaluation;

public sealed class MarkedTextTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Words_end_before_white_space_and_at_the_end() => Assert.Equal([2, 7, 10], MarkedText.Words("It was,\nsö ").Ends);

    [Fact]
    public void The_token_of_a_place_holds_its_last_byte()
    {
        using var model = RandomModel.Create(TinyRun.Configuration);
        const string text = "Ünïcode, Edmund Payne — and «Terriss».";
        int[] ends = [text.IndexOf(','), text.IndexOf(" —"), text.IndexOf('»'), text.Length];
        var sampled = SampledTokens.Of(model, [new MarkedText(text, ends)]).Single();
        Assert.Equal([0, .. model.Tokenizer.Encode(text)], sampled.Ids);
        Assert.Equal(ends.Length, sampled.Positions.Length);
        foreach (var (position, end) in sampled.Positions.Zip(ends))
        {
            var (before, until) = (Bytes(sampled.Ids[1..position]), Bytes(sampled.Ids[1..(position + 1)]));
            Assert.InRange(System.Text.Encoding.UTF8.GetByteCount(text[..end]), before + 1, until);
        }

        int Bytes(int[] ids) => ids.Sum(id => model.Tokenizer.TokenBytes(id).Length);
    }

    [Fact]
    public void Both_forms_of_FewNerd_give_the_same_marks()
    {
        File.WriteAllText(
            _folder.File("a.txt"),
            "It\tO\nstarred\tO\nHicks\tperson-artist/author\n's\tO\nEllaline\tperson-actor\nTerriss\tperson-actor\nEdmund\tperson-director\n\n\nNo\tO\nname\tO\n\nParis\tlocation-GPE\n"
        );
        File.WriteAllText(
            _folder.File("a.jsonl"),
            """
            {"id": "0", "tokens": ["It", "starred", "Hicks", "'s", "Ellaline", "Terriss", "Edmund"], "ner_tags": [0, 0, 7, 0, 7, 7, 7], "fine_ner_tags": [0, 0, 51, 0, 50, 50, 52]}
            {"id": "1", "tokens": ["No", "name"], "ner_tags": [0, 0], "fine_ner_tags": [0, 0]}
            {"id": "2", "tokens": ["Paris"], "ner_tags": [4], "fine_ner_tags": [21]}

            """
        );
        foreach (var file in new[] { "a.txt", "a.jsonl" })
        {
            var texts = FewNerd.Read(_folder.File(file)).ToList();
            Assert.Equal(["It starred Hicks 's Ellaline Terriss Edmund", "Paris"], texts.Select(text => text.Text));
            Assert.Equal(
                ["It starred Hicks", "It starred Hicks 's Ellaline Terriss", "It starred Hicks 's Ellaline Terriss Edmund"],
                texts[0].Ends.Select(end => texts[0].Text[..end])
            );
            Assert.Equal([5], texts[1].Ends);
        }
    }

    [Fact]
    public void The_published_examples_are_read()
    {
        var folder = Path.Combine(Repository.Root, "..", "shared", "data", "benchmarks", "fewnerd");
        Assert.SkipUnless(Directory.Exists(folder), "the benchmark files are not there");
        // "Hicks", and "Ellaline Terriss" and "Edmund Payne" of one label, an O between them.
        foreach (var file in new[] { "hf_train_example.jsonl", "hf_train_example.conll.txt" })
            Assert.Equal(
                ["Hicks", "Terriss", "Payne"],
                FewNerd.Read(Path.Combine(folder, file)).Single() is var text
                    ? text.Ends.Select(end => text.Text[..end].Split(' ')[^1])
                    : []
            );
        Assert.Single(FewNerd.Read(Path.Combine(folder, "readme_sample.txt")).Single().Ends);
    }

    [Theory]
    [InlineData("a.txt", "word without label\n", "a.txt:1")]
    [InlineData("a.jsonl", "[]\n", "a.jsonl:1")]
    [InlineData("a.jsonl", "{\"tokens\": [\"a\"]}\n", "fine_ner_tags or ner_tags")]
    [InlineData("a.jsonl", "{\"tokens\": [\"a\", \"b\"], \"ner_tags\": [0]}\n", "2 tokens have 1 tags")]
    [InlineData("a.jsonl", "{\"tokens\": 5, \"ner_tags\": [0]}\n", "a.jsonl:1")]
    public void Damaged_files_are_named(string name, string content, string expected)
    {
        File.WriteAllText(_folder.File(name), content);
        Assert.Contains(expected, Assert.Throws<InvalidDataException>(() => FewNerd.Read(_folder.File(name)).ToList()).Message);
    }

    [Fact]
    public void Names_of_a_world_are_found_whole()
    {
        var names = new Dictionary<string, string[]> { ["Ada"] = ["Ada Lovelace", "Ada Byron"], ["Byron"] = ["Byron Bay"] };
        const string text = "Ada Lovelace met Ada, Ada Lovelaces and Ada Byron Bay; xAda Byron.";
        Assert.Equal(
            ["Ada Lovelace", "Ada Lovelace met Ada, Ada Lovelaces and Ada Byron"],
            WorldNames.Ends(text, names).Select(end => text[..end])
        );
    }
}
