// Deflaters, whose memory is the C library's, of which the oldest are ended once there are many.
import java.util.ArrayDeque;
import java.util.zip.Deflater;

public class Cache {
  public static void main(String[] words) throws Exception {
    ArrayDeque<Deflater> cache = new ArrayDeque<>();
    byte[] out = new byte[2000];
    for (;;) {
      Deflater made = new Deflater();
      made.setInput(new byte[1000]);
      made.finish();
      made.deflate(out);
      cache.add(made);
      if (cache.size() > 300) cache.remove().end();
      Thread.sleep(20);
    }
  }
}
