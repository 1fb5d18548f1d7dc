// Loses memory outside of the heap of Java, and keeps what does.
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.zip.Inflater;
import sun.misc.Unsafe;

public class Lose {
  static final ArrayList<Inflater> KEPT = new ArrayList<>();

  public static void main(String[] words) throws Exception {
    Field field = Unsafe.class.getDeclaredField("theUnsafe");
    field.setAccessible(true);
    Unsafe unsafe = (Unsafe) field.get(null);
    for (;;) {
      for (int n = 0; n < 20; n++) unsafe.allocateMemory(500);
      KEPT.add(new Inflater());
      Thread.sleep(5);
    }
  }
}
