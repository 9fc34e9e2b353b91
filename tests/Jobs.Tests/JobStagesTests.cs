using Distributed.Contracts;
using Distributed.Jobs;

namespace Distributed.Jobs.Tests;

public sealed class JobStagesTests
{
    private static readonly JobStage First = new JobStage<One>((scope, step) => new One(scope, step)) { Resource = "r", Service = "s" };

    private static readonly JobStage Second = new JobStage<Two>((scope, step) => new Two(scope, step))
    {
        Resource = "r",
        Service = "s",
        After = [First],
    };

    private static readonly JobStage Third = new JobStage<Three>((scope, step) => new Three(scope, step))
    {
        Resource = "r",
        Service = "s",
        FollowsAllOf = Second,
    };

    [Fact]
    public void A_stage_has_the_name_of_its_message_and_a_queue_for_each_priority()
    {
        Assert.Equal("Three", Third.Kind);
        Assert.Equal(["three", "three-bulk"], Third.Queues.Order(StringComparer.Ordinal));
        Assert.Equal(new Three("scope", 4), Third.CreateMessage("scope", 4));
    }

    [Fact]
    public void All_stages_before_one_count_also_those_that_come_before_its_predecessors()
    {
        var stages = new JobStages([First, Second, Third]);

        Assert.Empty(stages.Before("One"));
        Assert.Equal(["One", "Two"], stages.Before("Three").Order(StringComparer.Ordinal));
        Assert.True(stages.IsLast("Three"));
        Assert.False(stages.IsLast("Two"));
    }

    [Fact]
    public void A_stage_that_is_given_before_its_predecessor_or_twice_is_refused_by_name()
    {
        Assert.Contains("Two", Assert.Throws<ArgumentException>(() => new JobStages([First, Third])).Message, StringComparison.Ordinal);
        Assert.Contains("One", Assert.Throws<ArgumentException>(() => new JobStages([First, First])).Message, StringComparison.Ordinal);
        Assert.Contains(
            "Four",
            Assert.Throws<KeyNotFoundException>(() => new JobStages([First]).For("Four")).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_scope_of_a_run_or_of_a_part_of_it_names_the_run()
    {
        var run = Guid.NewGuid();

        Assert.Equal(run, JobKey.RunIdOf(JobKey.ScopeOf(run)));
        Assert.Equal(run, JobKey.RunIdOf(JobKey.ScopeOf(run, 12)));
        Assert.Null(JobKey.RunIdOf(new string('a', 64)));
        Assert.Null(JobKey.RunIdOf(JobKey.ScopeOf(run) + "0"));
        Assert.Null(JobKey.RunIdOf(""));
    }

    private sealed record One(string Scope, int Step) : IJobMessage;

    private sealed record Two(string Scope, int Step) : IJobMessage;

    private sealed record Three(string Scope, int Step) : IJobMessage;
}
