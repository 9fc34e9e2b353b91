using Distributed.Vision.Heads;

namespace Distributed.Vision.Tests.Heads;

public class ThreadTeamTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Every_part_of_every_loop_runs_once(int threads)
    {
        using var team = new ThreadTeam(threads);
        for (var loop = 0; loop < 5000; loop++)
        {
            var runs = new int[loop % 20];
            team.Run(runs.Length, part => Interlocked.Increment(ref runs[part]));
            Assert.All(runs, count => Assert.Equal(1, count));
        }
    }

    [Fact]
    public void Threads_that_went_to_sleep_come_back_for_the_next_loop()
    {
        using var team = new ThreadTeam(2);
        for (var loop = 0; loop < 20; loop++)
        {
            // Long enough for the helper to fall asleep; whether it does changes nothing but the time.
            Thread.Sleep(5);
            using var both = new Barrier(2);
            team.Run(2, _ => Assert.True(both.SignalAndWait(TimeSpan.FromSeconds(30))));
        }
    }

    [Fact]
    public void The_caller_gets_the_error_of_a_part_when_all_have_ended()
    {
        using var team = new ThreadTeam(3);
        var ended = 0;
        var error = Assert.Throws<InvalidOperationException>(() =>
            team.Run(
                8,
                part =>
                {
                    Interlocked.Increment(ref ended);
                    if (part == 3)
                    {
                        throw new InvalidOperationException("part 3");
                    }
                }
            )
        );
        Assert.Equal("part 3", error.Message);
        Assert.Equal(8, ended);
        team.Run(8, _ => Interlocked.Increment(ref ended));
        Assert.Equal(16, ended);
    }
}
