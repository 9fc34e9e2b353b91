using System.ComponentModel.DataAnnotations;

namespace Distributed.Training;

/// <summary>Settings of the section <c>Training</c>.</summary>
internal sealed class TrainingOptions
{
    public const string Section = "Training";

    /// <summary>Where to compute: auto, cpu, cuda or cuda:N.</summary>
    [Required]
    [RegularExpression("(?i)auto|cpu|cuda(:[0-9]{1,3})?", ErrorMessage = "auto, cpu, cuda or cuda:N")]
    public string Device { get; set; } = "auto";

    /// <summary>Threads of one operator; 0 for the number of cores.</summary>
    [Range(0, 1024)]
    public int Threads { get; set; }

    /// <summary>
    /// Images of a feature shard at 96 px; fewer where images are larger, so that a shard stays some seconds of work. Where absent,
    /// 512, and 4,096 where the worker that plans the shards has a GPU.
    /// </summary>
    [Range(32, 65_536)]
    public int? ShardImages { get; set; }

    /// <summary>How long a head is trained before its state is saved and the next slice handed on.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan Slice { get; set; } = TimeSpan.FromSeconds(10);
}
