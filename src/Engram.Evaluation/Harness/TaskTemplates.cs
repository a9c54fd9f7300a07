namespace Engram.Evaluation.Harness;

/// <summary>The templates of a task.</summary>
/// <param name="Instruction">Before everything else.</param>
/// <param name="Prompt">Of a question.</param>
/// <param name="ShotPrompt">Of a worked example.</param>
/// <param name="Choice">Of an option.</param>
/// <param name="Target">Of the right answer; null: the right option.</param>
internal sealed record TaskTemplates(Template Instruction, Template Prompt, Template ShotPrompt, Template Choice, Template? Target)
{
    /// <summary>Reads the templates of a task.</summary>
    /// <param name="task">Not a group.</param>
    /// <param name="source">The task or its file, for messages.</param>
    /// <exception cref="InvalidDataException">A template does not fit; the message names it.</exception>
    public static TaskTemplates Of(TaskFile task, string source)
    {
        Template Read(string text, string key) => new(text, source, key, task.BuiltIn);
        var prompt = Read(task.Prompt, "prompt");
        return new(
            Read(task.Instruction, "instruction"),
            prompt,
            task.FewShot?.Prompt is { } other ? Read(other, "few_shot.prompt") : prompt,
            Read(task.Choice, "choice"),
            task.Target is { } target ? Read(target, "target") : null
        );
    }
}
