namespace Distributed.Contracts;

/// <summary>Where a run is, in the order of its way.</summary>
public enum RunState
{
    /// <summary>Accepted; nothing started.</summary>
    Submitted,

    /// <summary>Its images and weights are being fetched and packed.</summary>
    Ingesting,

    /// <summary>Bases are being compared on some of its training images.</summary>
    Comparing,

    /// <summary>Features of its images are being planned and computed.</summary>
    Extracting,

    /// <summary>Its head is being trained.</summary>
    Training,

    /// <summary>Its head is being tested.</summary>
    Evaluating,

    /// <summary>Its images are being predicted with a model.</summary>
    Predicting,

    /// <summary>Evaluated and reported, or predicted.</summary>
    Completed,

    /// <summary>Ended by an error, which its failure tells.</summary>
    Failed,

    /// <summary>Ended by a person.</summary>
    Cancelled,
}
