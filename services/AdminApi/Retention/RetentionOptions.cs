using System.ComponentModel.DataAnnotations;

namespace Distributed.AdminApi.Retention;

/// <summary>Settings of the section <c>Retention</c>: what is kept on the volume, and how long.</summary>
internal sealed class RetentionOptions
{
    public const string Section = "Retention";

    /// <summary>How often the volume is collected.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan Interval { get; set; } = TimeSpan.FromHours(1);

    /// <summary>How old a file is at least that no row names and that is removed.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "365.00:00:00")]
    public TimeSpan Orphans { get; set; } = TimeSpan.FromHours(1);

    /// <summary>How long all checkpoints of a run are kept after its end; of each run the last state and the best head stay.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "3650.00:00:00")]
    public TimeSpan Checkpoints { get; set; } = TimeSpan.FromDays(1);

    /// <summary>How long features are kept that no run uses; for ever where absent.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "3650.00:00:00")]
    public TimeSpan? Features { get; set; }

    /// <summary>Above how many bytes of features those go first that were used least recently; no bound where absent.</summary>
    [Range(0, long.MaxValue)]
    public long? FeatureBytes { get; set; }

    /// <summary>How long packed images are kept that no run uses; for ever where absent.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "3650.00:00:00")]
    public TimeSpan? Images { get; set; }
}
