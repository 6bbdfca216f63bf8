package link_test
import ("testing";"io";"time";"sync/atomic";"fmt";"strings";"github.com/chunkferry/chunkferry/cmd/ferry/internal/link")
func TestDbg(t *testing.T){
 for _,name:=range []string{"wifi","dsl","lte","starlink","geo","transatlantic","lossy-wifi","camera-uplink"}{
 t.Run(name,func(t *testing.T){ t.Parallel()
 for _,cc:=range []string{"cubic","reno"} {
 for _,kind:=range []link.Kind{link.User,link.Kernel}{
 n:=open(t,name,kind,1,&link.Options{CongestionControl:cc})
 c,s:=connect(t,n)
 var arrived atomic.Int64
 go io.Copy(c,zeros{}); go io.Copy(&counter{&arrived},s)
 var sb strings.Builder; last:=int64(0)
 for i:=0;i<8;i++ { time.Sleep(time.Second); a:=arrived.Load(); fmt.Fprintf(&sb,"%.1f ",float64(a-last)*8/1e6); last=a }
 u,_:=n.Stats(); t.Log(name,cc,kind,"up Mbit/s per second:",sb.String(),"qdrop",u.DroppedQueue.Packets,"loss",u.DroppedLoss.Packets,"out",u.DroppedOutage.Packets,"late",u.MaxLate)
 n.Close()
 }}})}
}
