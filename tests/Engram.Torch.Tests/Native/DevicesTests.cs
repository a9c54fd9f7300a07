using Engram.Torch.Native;
using TorchSharp;

namespace Engram.Torch.Tests.Native;

public class DevicesTests
{
    [Fact]
    public void Cpu_computes()
    {
        var device = Devices.Parse("cpu");
        using var x = torch.full([2, 3], 2f, device: device);
        using var y = x.matmul(x.t());
        Assert.Equal([12f, 12f, 12f, 12f], y.data<float>().ToArray());
    }

    [Theory]
    [
        InlineData("gpu"),
        InlineData(""),
        InlineData("cuda:"),
        InlineData("cuda:-1"),
        InlineData("cuda:x"),
        InlineData("CPU"),
        InlineData("cuda:99999999999")
    ]
    public void Unknown_names_are_refused_by_name(string name)
    {
        var error = Assert.Throws<ArgumentException>(() => Devices.Parse(name));
        Assert.Contains($"'{name}'", error.Message);
    }

    [Fact]
    public void Cuda_without_a_cuda_build_names_the_variable()
    {
        if (torch.cuda.is_available())
            Assert.Skip("This machine has a usable GPU.");
        var error = Assert.Throws<LibTorchException>(() => Devices.Parse("cuda:0"));
        Assert.Contains("ENGRAM_LIBTORCH", error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Threads_can_be_set_and_zero_is_refused()
    {
        var before = ThreadSettings.IntraOperation;
        ThreadSettings.IntraOperation = 1;
        Assert.Equal(1, ThreadSettings.IntraOperation);
        Assert.Throws<ArgumentOutOfRangeException>(() => ThreadSettings.IntraOperation = 0);
        ThreadSettings.IntraOperation = before;
    }
}
