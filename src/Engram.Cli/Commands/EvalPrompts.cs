using Engram.Cli.CommandLine;
using Engram.Evaluation.Harness;
using Engram.Studies.Pages;

namespace Engram.Cli.Commands;

/// <summary>Prompts of tasks as they are asked, for reading.</summary>
internal static class EvalPrompts
{
    public static void Write(IReadOnlyList<TaskPrompt> prompts, bool json)
    {
        if (json)
        {
            Terminal.Json(prompts);
            return;
        }
        foreach (var prompt in prompts)
        {
            var shots = prompt.Shots == 1 ? "1 worked example" : $"{prompt.Shots} worked examples";
            Console.Out.WriteLine($"=== {prompt.Task}, item {prompt.Index} ({VisibleText.Of(prompt.Place)}), {shots}");
            if (prompt.Prompts is null)
                Console.Out.WriteLine(VisibleText.Lines(prompt.Prompt));
            for (var i = 0; i < prompt.Choices.Count; i++)
            {
                if (prompt.Prompts is { } each)
                    Console.Out.WriteLine($"--- prompt of choice {i}\n{VisibleText.Lines(each[i])}");
                Console.Out.WriteLine($"--- choice {i}: {VisibleText.Of(prompt.Choices[i])}");
            }
            Console.Out.WriteLine($"--- right: {VisibleText.Of(prompt.Gold?.ToString() ?? "what a program decides")}");
            Console.Out.WriteLine();
        }
    }
}
