using System.ComponentModel.DataAnnotations;

namespace Distributed.AdminApi.Predictions;

/// <summary>Settings of the section <c>Predictions</c>.</summary>
internal sealed class PredictionOptions
{
    public const string Section = "Predictions";

    /// <summary>Requests that are answered at a time; further ones are refused at once, to be tried again.</summary>
    [Range(1, 10_000)]
    public int Concurrent { get; set; } = 128;

    /// <summary>How long a request waits for its answer, unless it asks for less.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:05:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Whether images may be given by their URL; addresses that are not public are refused in any case.</summary>
    public bool FromUrls { get; set; } = true;

    /// <summary>Whether URLs may lead to private addresses, for networks without a way out.</summary>
    public bool AllowPrivateAddresses { get; set; }
}
