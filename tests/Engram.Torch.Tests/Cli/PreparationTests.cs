using System.Diagnostics;
using Engram.Tests.Storage;
using Engram.Tokenization;

namespace Engram.Torch.Tests.Cli;

/// <summary>From a text file to token ids and back, by the program alone.</summary>
public sealed class PreparationTests
{
    [Fact]
    public async Task Tokenizer_IsTrained_EncodesAndDecodes()
    {
        using var folder = new TemporaryFolder();
        var (corpus, tokenizer) = (folder.File("corpus.txt"), folder.File("tokenizer.json"));
        File.WriteAllText(corpus, SampleCorpus.Text());
        var trained = (
            await CliProcess.Run("tokenizer", "train", corpus, "--output", tokenizer, "--vocabulary-size", "300", "--json")
        ).Ok();
        Assert.Equal(300, trained.Json.GetProperty("vocabulary_size").GetInt32());
        Assert.Equal(Tokenizer.Load(tokenizer).Fingerprint, trained.Json.GetProperty("fingerprint").GetString());

        const string Sentence = "The mare tamed — 😀 — the horse.\nAgain";
        var encoded = (await CliProcess.RunWithInput(Sentence, "tokenizer", "encode", "--tokenizer", tokenizer)).Ok().Output;
        Assert.Equal(Tokenizer.Load(tokenizer).Encode(Sentence), encoded.Split(' ').Select(int.Parse));
        Assert.Equal(
            Sentence + "\n",
            (await CliProcess.RunWithInput(encoded, "tokenizer", "decode", "--tokenizer", tokenizer)).Ok().Output
        );
        var unknown = await CliProcess.Run("tokenizer", "decode", "--tokenizer", tokenizer, "5", "300");
        Assert.Equal(2, unknown.ExitCode);
        Assert.Contains("'300'", unknown.ErrorLine);
    }

    [Fact]
    public async Task OtherFieldsAndPipes_AreRefused_WithWhatToDo()
    {
        using var folder = new TemporaryFolder();
        foreach (
            var (name, text) in new[]
            {
                ("a.jsonl", "{\"content\": \"a\"}\n"),
                ("a.csv", "id,content\n1,a\n"),
                ("b.json", "[{\"text\": 5}]"),
            }
        )
        {
            File.WriteAllText(folder.File(name), text);
            var refused = await CliProcess.Run("data", "prepare", folder.File(name), "--output", folder.File("data"));
            Assert.Equal(1, refused.ExitCode);
            Assert.Contains(name, refused.Errors);
            Assert.Contains("Name the text's field with --field.", refused.Errors);
        }

        string[] command =
        [
            "-c",
            "exec \"$0\" tokenizer train <(echo the mare) --output \"$1\"",
            CliProcess.Program,
            folder.File("t.json"),
        ];
        using var shell = Process.Start(
            new ProcessStartInfo("bash", command) { RedirectStandardOutput = true, RedirectStandardError = true }
        )!;
        var piped = await CliProcess.Finish(shell, TestContext.Current.CancellationToken);
        Assert.Equal(1, piped.ExitCode);
        Assert.Contains("is a pipe", piped.ErrorLine);
    }

    [Fact]
    public async Task Encode_TakesTypedTokensAsAsked_SaysWhatItIgnores_AndRefusesOtherEncodings()
    {
        using var folder = new TemporaryFolder();
        var (corpus, tokenizer) = (folder.File("corpus.txt"), folder.File("tokenizer.json"));
        File.WriteAllText(corpus, SampleCorpus.Text());
        (await CliProcess.Run("tokenizer", "train", corpus, "--output", tokenizer, "--vocabulary-size", "300")).Ok();
        var special = Tokenizer.Load(tokenizer).AddedTokens.First(token => token.Special);
        var recognized = (await CliProcess.Run("tokenizer", "encode", "--tokenizer", tokenizer, special.Content)).Ok();
        Assert.Equal($"{special.Id}\n", recognized.Output);
        Assert.Equal("", recognized.Errors);
        File.WriteAllText(
            tokenizer,
            File.ReadAllText(tokenizer).Replace("\"truncation\": null", "\"truncation\": { \"max_length\": 4 }", StringComparison.Ordinal)
        );
        var asText = (
            await CliProcess.Run("tokenizer", "encode", "--tokenizer", tokenizer, special.Content, "--typed-tokens", "all-as-text")
        ).Ok();
        Assert.DoesNotContain(special.Id, asText.Output.Split(' ').Select(int.Parse));
        Assert.Contains("truncation: { \"max_length\": 4 }", asText.ErrorLine);

        using var latin = CliProcess.Start("tokenizer", "encode", "--tokenizer", tokenizer);
        latin.StandardInput.BaseStream.Write([(byte)'c', (byte)'a', (byte)'f', 0xE9]);
        latin.StandardInput.Close();
        var refused = await CliProcess.Finish(latin, TestContext.Current.CancellationToken);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("stdin: not UTF-8 text", refused.Errors);
    }

    [Fact]
    public async Task Inspect_ShowsWhatTheMemoryTakesForTheSame()
    {
        using var folder = new TemporaryFolder();
        var (corpus, tokenizer) = (folder.File("corpus.txt"), folder.File("tokenizer.json"));
        File.WriteAllText(corpus, SampleCorpus.Text());
        (await CliProcess.Run("tokenizer", "train", corpus, "--output", tokenizer, "--vocabulary-size", "300")).Ok();
        var json = (await CliProcess.Run("tokenizer", "inspect", "--tokenizer", tokenizer, "A a", "--json")).Ok().Json;
        Assert.Equal(300, json.GetProperty("vocabulary_size").GetInt32());
        Assert.InRange(json.GetProperty("compressed_vocabulary_size").GetInt32(), 1, 299);
        var pieces = json.GetProperty("pieces").EnumerateArray().ToArray();
        Assert.Equal(["A", " a"], pieces.Select(piece => piece.GetProperty("text").GetString()));
        Assert.NotEqual(pieces[0].GetProperty("ids")[0].GetInt32(), pieces[1].GetProperty("ids")[0].GetInt32());
        Assert.Equal(pieces[0].GetProperty("canonical_ids")[0].GetInt32(), pieces[1].GetProperty("canonical_ids")[0].GetInt32());
        Assert.Contains("300 token ids", (await CliProcess.Run("tokenizer", "inspect", "--tokenizer", tokenizer)).Ok().Output);
    }

    [Fact]
    public async Task Data_IsPreparedOnce_AndAnotherPreparationRefused()
    {
        using var folder = new TemporaryFolder();
        var (corpus, data) = (folder.File("corpus.txt"), folder.File("data"));
        File.WriteAllText(corpus, SampleCorpus.Text());
        var json = (
            await CliProcess.Run(
                "data",
                "prepare",
                corpus,
                "--output",
                data,
                "--vocabulary-size",
                "300",
                "--validation-fraction",
                "0.2",
                "--json"
            )
        )
            .Ok()
            .Json;
        Assert.Equal(300, json.GetProperty("vocabulary_size").GetInt32());
        Assert.True(json.GetProperty("validation").GetProperty("tokens").GetInt64() > 0);
        Assert.Contains(
            "training",
            (await CliProcess.Run("data", "prepare", corpus, "--output", data, "--vocabulary-size", "300", "--validation-fraction", "0.2"))
                .Ok()
                .Output
        );

        var other = await CliProcess.Run(
            "data",
            "prepare",
            corpus,
            "--output",
            data,
            "--vocabulary-size",
            "310",
            "--validation-fraction",
            "0.2"
        );
        Assert.Equal(1, other.ExitCode);
        Assert.Contains(data, other.ErrorLine);
        var wrong = await CliProcess.Run("data", "prepare", corpus, "--output", folder.File("other"), "--validation-fraction", "2");
        Assert.Equal(2, wrong.ExitCode);
        Assert.False(Directory.Exists(folder.File("other")));
        var small = await CliProcess.Run("data", "prepare", corpus, "--output", folder.File("other"), "--vocabulary-size", "10");
        Assert.Equal(2, small.ExitCode);
        Assert.Contains("--vocabulary-size: The vocabulary must be at least 258", small.ErrorLine);
    }

    [Fact]
    public async Task EmptyCorpus_IsOneLine()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("empty.txt"), " \n");
        var result = await CliProcess.Run("data", "prepare", folder.File("empty.txt"), "--output", folder.File("data"));
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("empty", result.Errors.Split('\n')[^2]);
        Assert.Equal(["empty.txt"], folder.Names());
    }
}
