namespace Engram.Corpora;

/// <summary>The steps of a preparation, in order.</summary>
public enum PreparationStage
{
    /// <summary>Documents are read.</summary>
    Reading,

    /// <summary>Duplicates are looked for.</summary>
    LeavingOutDuplicates,

    /// <summary>The tokenizer is trained.</summary>
    TrainingTokenizer,

    /// <summary>Documents are encoded and written.</summary>
    Encoding,
}

/// <summary>How far a preparation has come.</summary>
/// <param name="Stage">The step.</param>
/// <param name="Documents">Documents done in this step.</param>
/// <param name="Total">Documents to do in this step; 0 while that is unknown.</param>
public readonly record struct PreparationProgress(PreparationStage Stage, long Documents, long Total);
