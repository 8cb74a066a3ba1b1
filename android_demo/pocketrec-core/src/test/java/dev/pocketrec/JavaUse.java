package dev.pocketrec;

import dev.pocketrec.engine.RawEngine;
import dev.pocketrec.file.Verify;
import java.io.File;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** Every verb as Java writes it; run by a test, so that the Kotlin API stays pleasant from Java. */
public final class JavaUse {
    private JavaUse() {}

    public static void main(String[] arguments) throws Exception {
        Source source = Source.file(new File(arguments[0]));
        File profileFile = Files.createTempDirectory("java-use").resolve("me.profile").toFile();
        try (Pocketrec films = Pocketrec.open(source); Profile me = Profile.open(profileFile)) {
            for (Recommendation film : films.search("space adventure with robots", 3)) {
                print(film.getItem(), film.getScore());
            }
            String first = films.search("robots").get(0).getItem();
            me.like(first);
            Options options = Options.builder()
                    .filter(new Filter().equal("category", "Comedy", "Drama"))
                    .exclude(Collections.singleton("tt0000000"))
                    .display(new Display(0.5, true))
                    .profile(me)
                    .explain(true)
                    .build();
            for (Recommendation film : films.recommend(Arrays.asList(first), 3, options)) {
                print(film.getItem(), film.getScore());
            }
            Map<String, Double> weights = Collections.singletonMap(first, 2.0);
            List<Recommendation> more = films.recommend(weights);
            print("recommended", more.size());
            print("similar", films.similar(first, 4).size());
            try {
                films.similar("no such film");
            } catch (UsageException error) {
                print(error.getMessage(), 0);
            }
        }
        try (Pocketrec films = Pocketrec.open(source, Verify.LAZY, RawEngine::new)) {
            print(films.getEngine().getName(), films.getCatalogue().getSize());
        }
    }

    private static void print(String name, float value) {
        System.out.println(name + "\t" + value);
    }
}
