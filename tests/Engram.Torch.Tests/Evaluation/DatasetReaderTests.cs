using System.IO.Compression;
using System.Text;
using Engram.Evaluation.Datasets;
using Engram.Tests.Storage;
using Parquet.Serialization;

namespace Engram.Torch.Tests.Evaluation;

/// <summary>Rows of every kind of file, and what is said of files that are none.</summary>
public class DatasetReaderTests
{
    [Theory]
    [InlineData("a.jsonl", "{\"q\": \"x\"}\n\n{\"q\": \"y\\u2028\"}\n")]
    [InlineData("a.json", "[{\"q\": \"x\"}, {\"q\": \"y\\u2028\"}]")]
    [InlineData("a.json", "{\"q\": \"x\"}\n{\"q\": \"y\\u2028\"}")]
    [InlineData("a.csv", "q\nx\n\"y\u2028\"\n")]
    [InlineData("a.tsv", "q\tr\nx\t1\n\"y\u2028\"\t2\n")]
    public void Rows_are_read_from_every_text(string name, string content)
    {
        Assert.Equal(["x", "y\u2028"], Read(name, Encoding.UTF8.GetBytes(content)).Select(row => row.Text("q")));
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionMode.Compress, leaveOpen: true))
            gzip.Write(Encoding.UTF8.GetBytes(content));
        Assert.Equal(["x", "y\u2028"], Read(name + ".gz", packed.ToArray()).Select(row => row.Text("q")));
    }

    [Fact]
    public void Quotes_hold_separators_and_line_ends()
    {
        var rows = Read("mmlu_x.csv", "question;choices\r\n\"a; \"\"b\"\"\r\nc\";\"['1', '2']\"\r\n"u8.ToArray());
        Assert.Equal("a; \"b\"\r\nc", Assert.Single(rows).Text("question"));
        Assert.Equal("mmlu_x", rows[0].Text("_file"));
        var plain = Read("x.tsv", "He said \"no\" to it\t3\n"u8.ToArray(), new DatasetFormat { Columns = ["question", "answer"] });
        Assert.Equal("He said \"no\" to it", Assert.Single(plain).Text("question"));
    }

    [Fact]
    public void Rows_are_found_inside_of_files()
    {
        var content = "{\"canary\": 1, \"data\": {\"en\": {\"1\": {\"q\": \"x\"}, \"2\": {\"q\": \"y\"}}, \"list\": [[1, 2]]}}"u8.ToArray();
        var rows = Read("a.json", content, new DatasetFormat { Rows = "data.en.*" });
        Assert.Equal([("1", "x"), ("2", "y")], rows.Select(row => (row.Text("_key"), row.Text("q"))));
        Assert.Equal(
            "[1,2]",
            Assert.Single(Read("a.json", content, new DatasetFormat { Rows = "data.list" })).Value("value").ToJsonString()
        );
        Assert.Contains(
            "\"fr\"",
            Assert.Throws<InvalidDataException>(() => Read("a.json", content, new DatasetFormat { Rows = "data.fr.*" })).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Parquet_rows_hold_lists_and_structures()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("test-00000-of-00001.parquet");
        await ParquetSerializer.SerializeAsync(
            [
                new ArcRow
                {
                    id = "a",
                    choices = new ArcChoices { text = ["one", "two"], label = ["1", "2"] },
                    answerKey = "2",
                    number = 7,
                },
                new ArcRow
                {
                    id = "b",
                    choices = new ArcChoices { text = ["three"], label = ["A"] },
                    answerKey = "A",
                    number = -1,
                },
            ],
            path
        );
        DatasetRow[] rows = [.. DatasetTransform.Find("arc")(DatasetReader.Read(path, "test-00000-of-00001.parquet"))];
        Assert.Equal(["1", "0"], rows.Select(row => row.Value("gold").ToJsonString()));
        Assert.Equal(["one", "two"], rows[0].Texts("choices"));
        Assert.Equal("7", rows[0].Text("number"));
    }

    [Theory]
    [InlineData("a.jsonl", "{\"q\": 1}\n{\"q\": \n", "a.jsonl:2: not JSON")]
    [InlineData("a.jsonl", "[1]\n", "a.jsonl:1: no JSON object")]
    [InlineData("a.json", "[{]", "a.json:1: not JSON")]
    [InlineData("a.json", "{\"x\": 1}", "a.json: no JSON list")]
    [InlineData("a.csv", "a,b\n1,2\n3\n", "a.csv:3: 1 values where there are 2 columns")]
    [InlineData("a.csv", "", "a.csv: empty")]
    [InlineData("a.csv", "a,a\n1,2\n", "two columns have the same name")]
    [InlineData("a.jsonl", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer")]
    [InlineData("a.jsonl", "PK\u0003\u0004zip", "a zip archive, where .jsonl text is expected")]
    [InlineData("a.csv", "PAR1xxxx", "Parquet, where .csv text is expected")]
    [InlineData("a.json", "<!DOCTYPE html><html>", "a web page")]
    [InlineData("a.json", "[\0]", "binary data")]
    [InlineData("a.parquet", "not parquet at all", "no readable Parquet")]
    [InlineData("a.jsonl.gz", "{\"q\": 1}", "damaged .gz data")]
    [InlineData("a.pdf", "x", "rows are not read from \".pdf\" files")]
    public void What_is_no_data_is_named_in_one_line(string name, string content, string expected)
    {
        var error = Assert.Throws<InvalidDataException>(() => Read(name, Encoding.UTF8.GetBytes(content)));
        Assert.StartsWith(name, error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Other_encodings_are_read_where_they_are_named()
    {
        byte[] content = [.. "{\"q\": \"caf"u8, 0x8e, .. "\"}\n"u8]; // Mac Roman é
        Assert.Contains(
            "a.jsonl:1: not UTF-8",
            Assert.Throws<InvalidDataException>(() => Read("a.jsonl", content)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal("café", Read("a.jsonl", content, new DatasetFormat { OtherEncoding = "macintosh" })[0].Text("q"));
        Assert.Equal(
            "café",
            Read("a.jsonl", "{\"q\": \"café\"}\n"u8.ToArray(), new DatasetFormat { OtherEncoding = "macintosh" })[0].Text("q")
        );
    }

    [Fact]
    public void A_missing_column_names_the_row_and_the_columns_that_there_are()
    {
        var row = Read("a.jsonl", "{\"question\": \"x\", \"n\": [1]}\n"u8.ToArray())[0];
        Assert.Contains(
            "a.jsonl:1: no column \"answer\"; the row has \"question\"",
            Assert.Throws<InvalidDataException>(() => row.Text("answer")).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "holds a list, not text",
            Assert.Throws<InvalidDataException>(() => row.Text("n")).Message,
            StringComparison.Ordinal
        );
        Assert.Contains("not a list", Assert.Throws<InvalidDataException>(() => row.Texts("question")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(
        "arc",
        "{\"question\": \"q\", \"choices\": {\"text\": [\"a\"], \"label\": [\"A\"]}, \"answerKey\": \"B\"}",
        "no option is labelled \"B\""
    )]
    [InlineData(
        "choices",
        "{\"question\": \"q\", \"choices\": [\"a\", \"b\"], \"answer\": 2}",
        "the right option 2 is outside the list of 2 options"
    )]
    [InlineData(
        "winogrande",
        "{\"sentence\": \"a b\", \"option1\": \"x\", \"option2\": \"y\", \"answer\": \"1\"}",
        "not exactly one \"_\""
    )]
    [InlineData("ccpm", "{\"translation\": \"t\", \"choices\": [\"a\"]}", "no column \"answer\"")]
    [InlineData("popqa", "{\"possible_answers\": \"[oops\"}", "no JSON list")]
    [InlineData("gsm8k", "{\"answer\": \"5\"}", "no number behind \"####\"")]
    [InlineData("math", "{\"solution\": \"5\"}", "no \\boxed answer")]
    [InlineData("c3", "{\"value\": 3}", "not [lines, questions, id]")]
    [InlineData("c3", "[[[\"A: x\"], [\"oops\", 5], \"id\"]]", "question 0 is no object")]
    [InlineData("race", "{\"article\": \"a\", \"problems\": \"oops\"}", "no Python list")]
    [InlineData(
        "race",
        "{\"article\": \"a\", \"problems\": \"[{'question': 'q', 'answer': 'A', 'options': ['x', 5]}]\"}",
        "problems[0]: an option is no text"
    )]
    [InlineData("mmlu_redux", "{\"question\": \"q\", \"choices\": [\"a\", \"b\"], \"answer\": 0}", "no column \"error_type\"")]
    [InlineData("piqa", "{\"goal\": \"g\", \"sol1\": null, \"sol2\": \"b\", \"label\": 0}", "column \"sol1\" is null")]
    [InlineData(
        "drop",
        "{\"passage\": \"p\", \"question\": \"q\", \"answer\": {\"number\": \"1\"}, \"validated_answers\": [5]}",
        "a validated answer is no object"
    )]
    [InlineData("agieval", "{\"question\": \"q\", \"options\": [\"(A)x\"], \"label\": \"。\"}", "no right option")]
    public void A_malformed_row_is_named(string transform, string row, string expected)
    {
        var name = row.StartsWith('[') ? "a.json" : "a.jsonl";
        var error = Assert.Throws<InvalidDataException>(() =>
            DatasetTransform.Find(transform)(Read(name, Encoding.UTF8.GetBytes(row))).ToArray()
        );
        Assert.StartsWith(name == "a.json" ? "a.json[0]" : "a.jsonl:1", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Files_are_found_by_pattern_and_in_snapshots()
    {
        using var folder = new TemporaryFolder();
        foreach (
            var path in (string[])
                [
                    "a/x.csv",
                    "a/y.csv",
                    "a/b/z.csv",
                    "cais/mmlu/all/test-00000-of-00001.parquet",
                    "datasets--o--n/snapshots/abc/data/train-0.jsonl",
                    "datasets--o--n/snapshots/abc/train.jsonl",
                    "piqa/validation.jsonl",
                ]
        )
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder.File(path))!);
            File.WriteAllText(folder.File(path), "");
        }
        string[] Found(IReadOnlyList<string> files) => [.. files.Select(file => Path.GetRelativePath(folder.File(""), file))];
        Assert.Equal(["a/x.csv", "a/y.csv"], Found(DatasetFiles.Find(folder.File(""), "a/*.csv")));
        Assert.Equal(["a/b/z.csv", "a/x.csv", "a/y.csv"], Found(DatasetFiles.Find(folder.File(""), "a/**/*.csv")));
        Assert.Equal(["a/x.csv"], Found(DatasetFiles.Find(folder.File(""), "a/x.csv")));
        Assert.Empty(DatasetFiles.Find(folder.File("nowhere"), "*/x"));
        Assert.Equal(
            ["cais/mmlu/all/test-00000-of-00001.parquet"],
            Found(DatasetFiles.FindSnapshot(folder.File(""), "cais/mmlu", "all", "test"))
        );
        Assert.Equal(
            ["cais/mmlu/all/test-00000-of-00001.parquet"],
            Found(DatasetFiles.FindSnapshot(folder.File(""), "cais/mmlu", "*", "test"))
        );
        Assert.Equal(["datasets--o--n/snapshots/abc/train.jsonl"], Found(DatasetFiles.FindSnapshot(folder.File(""), "o/n", null, "train")));
        Assert.Equal(["piqa/validation.jsonl"], Found(DatasetFiles.FindSnapshot(folder.File(""), "baber/piqa", null, "validation")));
        Assert.Empty(DatasetFiles.FindSnapshot(folder.File(""), "baber/piqa", null, "test"));
    }

    [Fact]
    public void White_space_around_options_stays_and_around_a_question_goes()
    {
        var row = DatasetTransform
            .Find("choices")(Read("a.jsonl", "{\"question\": \" q \", \"choices\": [\" a\", \"b \"], \"answer\": 1}"u8.ToArray()))
            .Single();
        Assert.Equal("q", row.Text("question"));
        Assert.Equal([" a", "b "], row.Texts("choices"));
    }

    [Fact]
    public void Of_a_cache_one_revision_counts()
    {
        using var folder = new TemporaryFolder();
        void Write(string path, string content = "")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder.File(path))!);
            File.WriteAllText(folder.File(path), content);
        }
        string[] Found(IReadOnlyList<string> files) => [.. files.Select(file => Path.GetRelativePath(folder.File(""), file))];
        Write("datasets--o--n/snapshots/aaa/test.tsv");
        Assert.Equal(["datasets--o--n/snapshots/aaa/test.tsv"], Found(DatasetFiles.FindSnapshot(folder.File(""), "o/n", null, "test")));
        Assert.Equal(["datasets--o--n/snapshots/aaa/test.tsv"], Found(DatasetFiles.FindHereOrInCache(folder.File(""), "o/n/test.tsv")));
        Write("datasets--o--n/snapshots/bbb/test.tsv");
        Assert.Contains(
            "2 revisions, and no refs/main",
            Assert.Throws<InvalidDataException>(() => DatasetFiles.FindSnapshot(folder.File(""), "o/n", null, "test")).Message,
            StringComparison.Ordinal
        );
        Write("datasets--o--n/refs/main", "bbb\n");
        Assert.Equal(["datasets--o--n/snapshots/bbb/test.tsv"], Found(DatasetFiles.FindSnapshot(folder.File(""), "o/n", null, "test")));
        Write("o/n/test.tsv");
        Assert.Equal(["o/n/test.tsv"], Found(DatasetFiles.FindHereOrInCache(folder.File(""), "o/n/test.tsv")));
    }

    [Fact]
    public void A_part_that_is_missing_is_named()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder.File("piqa"));
        File.WriteAllText(folder.File("piqa/test-00000-of-00002.parquet"), "");
        Assert.Contains(
            "test-00001-of-00002.parquet: missing",
            Assert.Throws<InvalidDataException>(() => DatasetFiles.FindSnapshot(folder.File(""), "baber/piqa", null, "test")).Message,
            StringComparison.Ordinal
        );
        File.WriteAllText(folder.File("piqa/test-00001-of-00002.parquet"), "");
        Assert.Equal(2, DatasetFiles.FindSnapshot(folder.File(""), "baber/piqa", null, "test").Count);
    }

    [Fact]
    public void A_name_that_stands_twice_is_said() =>
        Assert.Contains(
            "a.jsonl:1: not JSON (a name stands twice in an object)",
            Assert.Throws<InvalidDataException>(() => Read("a.jsonl", "{\"q\": 1, \"q\": 2}"u8.ToArray())).Message,
            StringComparison.Ordinal
        );

    private static DatasetRow[] Read(string name, byte[] content, DatasetFormat? format = null)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder.File(name), content);
        return [.. DatasetReader.Read(folder.File(name), name, format)];
    }

    private sealed class ArcRow
    {
        public string? id { get; set; }
        public ArcChoices? choices { get; set; }
        public string? answerKey { get; set; }
        public long number { get; set; }
    }

    private sealed class ArcChoices
    {
        public List<string>? text { get; set; }
        public List<string>? label { get; set; }
    }
}
